"""What must not be lost: settings records on raw flash, and the queue of messages not yet acknowledged."""
