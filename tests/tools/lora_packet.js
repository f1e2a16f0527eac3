// Frames of LoRaWAN 1.0 made and read by npm's lora-packet, for tests to compare with.
//
// Standard input: a case a line, JSON; standard output: an answer a line. All hex as printed (EUIs, DevAddr, NetID,
// nonces most significant byte first), frames as on the air.
//   up, down  {kind, confirmed, nwk, app, addr, fcnt (32 bits), adr, adr_ack_req, ack, pending, fopts, port or null,
//             payload, wire}                                   -> {frame, read}
//   join      {kind, key, join_eui, dev_eui, dev_nonce, wire}  -> {frame, read}
//   accept    {kind, key, join_nonce, net_id, addr, settings, delay, cf_list, dev_nonce, wire}
//                                                              -> {frame, nwk, app, read}
// frame: made from the fields. read: what is found in `wire`, with `mic`: whether its MIC is right; null without wire.
"use strict";

const readline = require("readline");
const lora = require("lora-packet");

const bytes = (hex) => Buffer.from(hex, "hex");
const hex = (buffer) => buffer.toString("hex");

// Number of `size` bytes, as printed.
function number(value, size) {
  const out = Buffer.alloc(size);
  out.writeUIntBE(value, 0, size);
  return out;
}

// Upper half of a counter, in the order of the air: so it goes into the blocks.
function high(fcnt) {
  const out = Buffer.alloc(2);
  out.writeUInt16LE(Math.floor(fcnt / 0x10000));
  return out;
}

function dataFrame(one) {
  const nwk = bytes(one.nwk), app = bytes(one.app), msb = high(one.fcnt);
  const fields = {
    MType: (one.confirmed ? "Confirmed" : "Unconfirmed") + " Data " + (one.kind === "up" ? "Up" : "Down"),
    DevAddr: bytes(one.addr),
    FCnt: one.fcnt % 0x10000,
    FCtrl: { ADR: one.adr, ADRACKReq: one.adr_ack_req, ACK: one.ack, FPending: one.pending },
    FOpts: bytes(one.fopts),
    payload: bytes(one.payload),
  };
  if (one.port !== null) fields.FPort = one.port;
  // Without AppKey: with it, port 0 is encrypted as in 1.1.
  const made = lora.fromFields(fields, app, nwk, undefined, msb);
  // A frame without port is left with a MIC of eeeeeeee.
  if (one.port === null) lora.recalculateMIC(made, nwk, undefined, msb);
  const read = one.wire && readData(bytes(one.wire), nwk, app, msb);
  return { frame: hex(made.PHYPayload), read: read || null };
}

function readData(wire, nwk, app, msb) {
  const found = lora.fromWire(wire);
  const port = found.getFPort();
  return {
    kind: found.getDir(),
    confirmed: found.isConfirmed(),
    addr: hex(found.DevAddr),
    fcnt: found.getFCnt(),
    adr: found.getFCtrlADR(),
    adr_ack_req: found.getFCtrlADRACKReq(),
    ack: found.getFCtrlACK(),
    pending: found.getFCtrlFPending(),
    fopts: hex(found.FOpts),
    port,
    payload: port === null ? "" : hex(lora.decrypt(found, app, nwk, msb)),
    mic: lora.verifyMIC(found, nwk, undefined, msb),
  };
}

function join(one) {
  const key = bytes(one.key);
  const fields = {
    MType: "Join Request",
    AppEUI: bytes(one.join_eui),
    DevEUI: bytes(one.dev_eui),
    DevNonce: number(one.dev_nonce, 2),
  };
  const made = lora.fromFields(fields, undefined, undefined, key);
  let read = null;
  if (one.wire) {
    const found = lora.fromWire(bytes(one.wire));
    read = {
      kind: found.isJoinRequestMessage() ? "join" : "other",
      join_eui: hex(found.AppEUI),
      dev_eui: hex(found.DevEUI),
      dev_nonce: found.DevNonce.readUInt16BE(0),
      mic: lora.verifyMIC(found, undefined, key),
    };
  }
  return { frame: hex(made.PHYPayload), read };
}

function accept(one) {
  const key = bytes(one.key), netId = bytes(one.net_id), joinNonce = number(one.join_nonce, 3);
  const fields = {
    MType: "Join Accept",
    AppNonce: joinNonce,
    NetID: netId,
    DevAddr: bytes(one.addr),
    DLSettings: one.settings,
    RxDelay: one.delay,
    CFList: bytes(one.cf_list),
  };
  const made = lora.fromFields(fields, undefined, undefined, key);
  const keys = lora.generateSessionKeys10(key, netId, joinNonce, number(one.dev_nonce, 2));
  let read = null;
  if (one.wire) {
    // The MIC can be looked at only when the frame is in clear.
    const found = lora.fromWire(lora.decryptJoinAccept(lora.fromWire(bytes(one.wire)), key));
    read = {
      kind: found.isJoinAcceptMessage() ? "accept" : "other",
      join_nonce: found.AppNonce.readUIntBE(0, 3),
      net_id: hex(found.NetID),
      addr: hex(found.DevAddr),
      settings: found.DLSettings.readUInt8(0),
      delay: found.RxDelay.readUInt8(0),
      cf_list: hex(found.CFList),
      mic: lora.verifyMIC(found, undefined, key),
    };
  }
  return { frame: hex(made.PHYPayload), nwk: hex(keys.NwkSKey), app: hex(keys.AppSKey), read };
}

const makers = { up: dataFrame, down: dataFrame, join, accept };
const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const one = JSON.parse(line);
  process.stdout.write(JSON.stringify(makers[one.kind](one)) + "\n");
});
