-- Makes hypertables of the tables, where the extension timescaledb is in the database; else does nothing. The sink runs
-- it when it has made tables. Where the extension came later, run it by hand, as their owner: psql -1 -f timescaledb.sql
-- (rows already there are moved into chunks, and nobody else writes meanwhile). Doing it again changes nothing.

DO $$
DECLARE
    home text := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                  WHERE e.extname = 'timescaledb');
    dimension text := '''time'', chunk_time_interval => interval ''7 days''';
    kind text;
BEGIN
    IF home IS NULL THEN
        RETURN;
    END IF;
    -- Since 2.13; the other form is older and going.
    IF to_regproc(quote_ident(home) || '.by_range') IS NOT NULL THEN
        dimension := format('%I.by_range(''time'', interval ''7 days'')', home);
    END IF;
    FOREACH kind IN ARRAY ARRAY['reading', 'alarm', 'hello', 'ack', 'capture', 'spectrum', 'command', 'unknown'] LOOP
        EXECUTE format('SELECT %I.create_hypertable(''judder_%s'', %s, create_default_indexes => false, '
                       'if_not_exists => true, migrate_data => true)', home, kind, dimension);
    END LOOP;
END
$$;
