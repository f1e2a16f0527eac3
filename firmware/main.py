# Loader, part two: run the application that boot.py mounted. It stays in charge of crashes and resets.
if globals().get("RUN_APPLICATION"):
    import gc

    # While modules load: what stays of each is then packed together, and the buffers after it find room in one piece.
    gc.threshold(16384)
    try:
        from node import app
    except Exception as error:
        print("judder: the application does not load (%s): flash the board again with 'judder flash'" % error)
    else:
        app.main()
