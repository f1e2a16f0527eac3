// Sparkplug B payloads read by sparkplug-payload, the library of Eclipse Tahu. A line in: a payload in hex. A line out:
// {"seq", "metrics": [{"name", "alias", "type", "at", "historical", "value", "unit"}]}.
const { decodePayload } = require("sparkplug-payload").get("spBv1.0");
const lines = require("fs").readFileSync(0, "utf8").trim().split("\n");

const plain = (value) => (value && typeof value === "object" && "high" in value ? Number(value.toString()) : value);

for (const line of lines) {
  const payload = decodePayload(Buffer.from(line, "hex"));
  const metrics = payload.metrics.map((metric) => ({
    name: metric.name,
    alias: plain(metric.alias),
    type: metric.type,
    at: plain(metric.timestamp),
    historical: metric.isHistorical,
    value: plain(metric.value),
    unit: metric.properties && metric.properties.engUnit.value,
  }));
  console.log(JSON.stringify({ seq: plain(payload.seq), metrics }));
}
