"""ingest -> decode -> track -> spool -> sinks, as a service. docs/gateway.md tells it for users.

    config.load(path)     gateway.toml, checked
    pipeline.Gateway      sources, intake and deliveries, each in threads of its own around one spool

Nothing is acknowledged to a source before it is durable in the spool; nothing leaves the spool before every sink has
taken it, or before it is over the limits the operator set, which is counted and said.
"""
