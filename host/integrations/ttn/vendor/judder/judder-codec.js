// Judder's payload codec (TS013): decodeUplink, decodeDownlink, encodeDownlink, normalizeUplink. ES5.1, no library,
// nothing of a browser or of Node. Every byte of it is compiled anew for every uplink of a ChirpStack, so it is short
// rather than quick, and says little of what is wrong with a payload beside where; `judder decode --explain` says more.
// Made by `make generate` from host/judder/integrate/codec.template.js and the tables of the contract.
var judder = (function () {
  // KINDS: kind -> name|row|row. Row: name[.parts];range[;how[;type]]. Parts: axes xyz, each a row of its own; f, v:
  // frequency and velocity of a line; b: a band. Range: low,high; n: unsigned in n bytes. How: a divisor; v: version;
  // v0: version, 0 for none; wWORD,WORD: one of; gWORD,WORD: flags; sWORD,WORD: state, and its flags;
  // m,NAME:UNIT:DIVISOR: metric; d: in the unit of the metric. Type: CBOR's major type where it is no integer; the range
  // is then of its size.
  var KINDS = {
    0: 'hello|firmware;4;v|micropython;4;v|board;2|' +
    'reset_cause;1;wunknown,power-on,hard reset,watchdog,deep sleep,soft reset|uptime_s;4|battery_mv;2|' +
    'queue_depth;4|dropped;4|settings_crc;4|tls_library;4;v0|' +
    'flags;2;gsynthetic signal,not provisioned,clock not set,sensor fault,safe mode,radio fault|' +
    'vibration_sensor;1;wnone,synthetic,iis3dwb,adxl345,adxl355,lis2dw12,lis3dh,mpu6050|' +
    'temperature_sensor;1;wnone,synthetic,tmp117,ds18b20,max31865|link;1;wserial,wifi,lorawan|boots;4|' +
    'link_failures;4|downlinks_refused;4|joins;2|join_failures;2|uplinks;4|downlinks;4|data_rate;0,15|' +
    'rssi_dbm;-200,50|snr_db;-128,127;4',
    1: 'reading|state;0,8191;sclipped,lossy,band_not_covered,not_running,clock_not_set,sensor_fault|' +
    'velocity_rms_worst_mm_s;2;100|temperature_c;-2731,32767;10|sequence;4|age_s;4|velocity_rms_mm_s.xyz;2;100|' +
    'acceleration_rms_mg.xyz;2|acceleration_peak_mg.xyz;2|battery_mv;2|kurtosis.xyz;2;100|envelope_rms_mg.xyz;2|' +
    'line_frequency_hz.x;4;10|line_velocity_rms_mm_s.x;2;100|line_frequency_hz.y;4;10|' +
    'line_velocity_rms_mm_s.y;2;100|line_frequency_hz.z;4;10|line_velocity_rms_mm_s.z;2;100|sample_rate_hz;4;10|' +
    'samples_lost;4|energy_spent_mj;4|band_low_hz;2;10|band_high_hz;2|skewness.xyz;-32768,32767;100|' +
    'envelope_peak_mg.xyz;2',
    2: 'alarm|state;0,8191;sclipped,lossy,band_not_covered,not_running,clock_not_set,sensor_fault|' +
    'metric;1,23;m,velocity_rms:mm/s:100,acceleration_rms:mg:1,acceleration_peak:mg:1,envelope_rms:mg:1,kurtosis:1:100,temperature:degC:10,temperature_rise:degC:10,velocity_rms_change:mm/s:100|' +
    'value;-2147483648,2147483647;d|limit;-2147483648,2147483647;d|sequence;4|age_s;4',
    3: 'capture|capture;2|index;2|count;1,65535|content;1;wwaveform|axis;1,3;wnone,x,y,z|sequence;4|' +
    'sample_rate_hz;1,4294967295;10|scale_ug;1,4294967295|samples;1,4294967295|first;4|data;2,2048;;2',
    4: 'ack|tag;4|status;1;wdone,refused,unknown action,out of range,not settable,failed,taken back|detail;4|' +
    'settings_crc;4',
    5: 'spectrum|axis;1,3;wnone,x,y,z|sequence;4|resolution_hz;4;1000|lines.f;4;10|lines.v;2;100|lines.f;4;10|' +
    'lines.v;2;100|lines.f;4;10|lines.v;2;100|lines.f;4;10|lines.v;2;100|lines.f;4;10|lines.v;2;100|lines.f;4;10|' +
    'lines.v;2;100|lines.f;4;10|lines.v;2;100|lines.f;4;10|lines.v;2;100|bands_velocity_rms_mm_s.bbbb;2;100',
    16: 'command|tag;4|action;1;wsettings,request,reboot|argument;4|settings;0,64;;5'
  };
  // [key]name[- secret][ what may be sent: low,high, wNAME,NAME or t and a length]. Without a key: one on.
  var SETTINGS =
    'node_id|node_key-|label t64|10mode wduty,continuous|interval_s 0,86400|block_samples 256,4096|' +
    'vibration_sensor wboard,synthetic,iis3dwb,adxl345,adxl355,lis2dw12,lis3dh,mpu6050|' +
    'temperature_sensor wboard,synthetic,tmp117,ds18b20,max31865|range_g w2,4,8,16|watchdog_s 10,3600|' +
    'sample_rate_hz 0,32000|20link|wifi_ssid|wifi_password-|mqtt_host|mqtt_port|mqtt_user|mqtt_password-|mqtt_tls|' +
    'mqtt_ca|mqtt_keepalive_s 5,3600|timeout_s 1,120|40acceleration_rms_warning_mg 2|acceleration_rms_danger_mg 2|' +
    'temperature_warning_dc 0,32767|temperature_danger_dc 0,32767|hysteresis_percent 0,50|50spectrum woff,on|' +
    'band1_low_hz 0,2000|band1_high_hz 0,2000|band2_low_hz 0,2000|band2_high_hz 0,2000|band3_low_hz 0,2000|' +
    'band3_high_hz 0,2000|band4_low_hz 0,2000|band4_high_hz 0,2000|60machine_group wnone,1,2,size,user|' +
    'machine_support wrigid,flexible|machine_power_w 0,2000000000|machine_shaft_height_mm 0,10000|' +
    'machine_speed_rpm 0,1000000|zone_ab_cmm_s 2|zone_bc_cmm_s 2|zone_cd_cmm_s 2|70running_floor_mg 2|' +
    'running_floor_cmm_s 2|baseline_readings 0,1000|baseline_number 2|velocity_baseline_cmm_s 2|' +
    'ambient_dc -2731,2000|confirm_readings 1,8|confirm_of 1,8|hold_off_s 0,604800|hysteresis_cmm_s 0,1000|' +
    'velocity_rms_warning_cmm_s 2|velocity_rms_danger_cmm_s 2|envelope_rms_warning_mg 2|envelope_rms_danger_mg 2|' +
    'kurtosis_warning_c 2|kurtosis_danger_c 2|temperature_rise_warning_dc 0,32767|' +
    'temperature_rise_danger_dc 0,32767|baseline_warning_percent 0,10000|baseline_danger_percent 0,10000|' +
    'change_rule woff,on|100lorawan_region|lorawan_activation|join_eui|dev_eui|app_key-|dev_addr|nwk_s_key-|' +
    'app_s_key-|lorawan_sub_band 0,8|lorawan_adr woff,on|lorawan_data_rate 0,7|lorawan_confirm wnone,alarms,all|' +
    'lorawan_max_eirp_dbm 0,36|antenna_gain_db -20,20|lorawan_rx1_delay_s 1,15|lorawan_rx2_data_rate 0,15|' +
    'lorawan_rx2_hz 0,1020000000|revert_after 0,64';
  var REQUESTS = ["hello", "reading", "capture", "spectrum"];
  var ODD = ': not of its type';

  function fail(why, at) {
    throw at >= 0 ? why + ' at byte ' + at : why;
  }

  function within(name, n, range, at) {
    var limits = range[1] ? range.split(',') : [0, Math.pow(256, range) - 1];
    if (n !== +n || n % 1 || n < +limits[0] || n > +limits[1]) fail(name + ': ' + n + ' is outside ' + limits.join('..'), at);
  }

  // Settings by key and by name: [, key, name, '-' of a secret, what may be sent].
  function settings() {
    var all = {}, key = 0;
    (SETTINGS).split('|').forEach(function (row) {
      var known = /(\d*)(\w+)(-?) ?(.*)/.exec(row);
      known[1] = key = +known[1] || key + 1;
      all[key] = all[known[2]] = known;
    });
    return all;
  }

  // The record in a payload. forms: a command's settings in the form that encode() takes.
  function decode(bytes, forms) {
    var end = bytes.length, at = 0, items = 0, extra = [], out = {};
    var high, low, size, type, entries, from, kind, count, first, late, held, divisor, rows, field, name, parts, part;
    var how, wanted, code, words, value, v, i, j, n;

    function hex(from, to) {
      for (var text = ''; from < to; ) text += (bytes[from++] + 256).toString(16).slice(1);
      return text;
    }

    function refuse(bad, from) {
      if (bad) fail('not a Judder message', from);
    }

    function reach(to) {
      if (to > end) fail('the frame ends early', end);
    }

    // Head of an item: its major type. Its argument goes to size, and in halves to high and low.
    function head() {
      var from = at, major = bytes[at] >> 5, info = bytes[at++] & 31, width;
      reach(at);
      refuse(++items > 256 || info > 27 || major === 6 || (major > 6 && info > 24), from);
      high = 0;
      low = info;
      if (info > 23) {
        width = 1 << (info - 24);
        reach(at + width);
        for (low = 0; width; width--) {
          if (width > 4) high = high * 256 + bytes[at++];
          else low = low * 256 + bytes[at++];
        }
      }
      size = high * 4294967296 + low;
      // Not in its shortest form, or none of false, true and null.
      refuse(size < [24, 256, 65536, 4294967296][info - 24] || (major > 6 && (size < 20 || size > 22)), from);
      return major;
    }

    // Is there room for `size` entries of so many items each?
    function room(each, from) {
      refuse(items + size * each > 256, from);
      reach(at + size * each);
    }

    // An item as JSON has it: bytes in hex, map keys as text. Its major type goes to type, a map's entries to entries:
    // [key, value, type of the key, type of the value].
    function item(depth) {
      var from = at, major = head(), v = size, left = v, list = [], last = '', key, keyType, spelled;
      // In one step, or it would be rounded twice beyond 2^53.
      if (major === 1) v = -high * 4294967296 - (low + 1);
      if (major === 2 || major === 3) {
        reach(at + v);
        at += v;
        v = hex(at - v, at);
        if (major > 2) {
          try {
            v = decodeURIComponent(v.replace(/../g, '%$&'));
          } catch (e) {
            refuse(1, from);
          }
        }
      }
      if (major === 4 || major === 5) {
        refuse(depth > 3, from);
        room(major - 3, from);
        // Without a prototype, because __proto__ may be a key.
        v = major > 4 ? Object.create(null) : list;
        while (left--) {
          from = at;
          key = item(depth + 1);
          if (major < 5) list.push(key);
          else {
            keyType = type;
            spelled = hex(from, at);
            refuse((keyType && keyType !== 3) || spelled <= last, from);
            last = spelled;
            // As text a key has all its digits, beyond 2^53 too.
            if (high > 2097151 && !keyType) {
              key = high * 967296 + low;
              key = high * 4294 + ((key / 1e6) >>> 0) + ('' + (1e6 + (key % 1e6))).slice(1);
            }
            v[key] = item(depth + 1);
            list.push([key, v[key], keyType, type]);
          }
        }
        entries = list;
      }
      if (major > 6) v = v > 21 ? null : v > 20;
      type = major;
      return v;
    }

    // A command's settings by name, as far as they have one.
    function named() {
      var all = settings(), found = {};
      entries.forEach(function (entry) {
        var known = all[entry[0]] || [0, 0, entry[0], '', ''], value = entry[1];
        if (entry[2] || entry[3] > 3) fail(name + ODD, from);
        if (known[3]) value = value ? '(set)' : '(not set)';
        else if (forms && known[4][0] === 'w') value = known[4].slice(1).split(',')[value] || value;
        found[known[2]] = value;
      });
      return found;
    }

    refuse(end > 4096, 4096);
    refuse(head() !== 4, 0);
    room(1, 0);
    count = size - 1;
    refuse(count < 0, 0);
    from = at;
    kind = item(1);
    refuse(type || kind > 222, from);
    first = at;
    rows = (KINDS[kind] || 'unknown').split('|');
    out.kind = rows[0];
    for (i = 1; i < rows.length; i++) {
      field = rows[i].split(';');
      parts = field[0].split('.');
      name = parts[0];
      parts = parts[1] || ' ';
      how = field[2] || '';
      wanted = field[3];
      code = how[0];
      words = how > '9' && how.slice(1).split(',');
      for (j = 0; j < parts.length; j++) {
        from = at;
        v = count-- > 0 ? item(1) : null;
        if (v !== null) {
          if (type > 1 ? type != wanted : wanted) fail(name + ODD, from);
          within(name, wanted > 2 ? entries.length : wanted ? v.length / 2 : v, field[1], from);
          if (wanted > 2) v = named();
          if (code === 'w') v = words[v] || 'unknown (' + v + ')';
          if (code === 'v') v = v || !words[0] ? [(v / 1e4) | 0, ((v / 100) | 0) % 100, v % 100].join('.') : null;
          if (code === 'd') v /= divisor;
          if (how > 0) v /= how;
        } else if (i < 2) fail(name + ': missing', from);
        if (code === 'm') {
          value = v === null ? [v, v, 1] : (words[v] || 'metric ' + v + ':raw:1').split(':');
          v = value[0];
          out.unit = value[1];
          divisor = value[2];
        }
        if (code === 'g') {
          value = [];
          for (n = 0; v >> n; n++) if ((v >> n) & 1) value.push(words[n] || 'bit ' + n);
          v = value;
        }
        part = parts[j];
        if (code === 's') {
          value = v & 7;
          n = (v >> 3) & 3;
          late = value > 4 || n > 2 || (value && v & 4480);
          out.zone = 'ABCD'[value - 1] || null;
          out.alarm_level = ["none", "warning", "danger"][n];
          out.worst_axis = 'xyz'[((v >> 5) & 3) - 1] || null;
          for (n = 0; words[n]; n++) out[words[n]] = !!(v & (128 << n));
        } else if (part === ' ') out[name] = v;
        else if (part > 'w') {
          value = out[name] = out[name] || (v === null ? v : { x: null, y: null, z: null });
          if (value) value[part] = v;
        } else {
          value = out[name] = out[name] || [];
          if (part === 'f') held = v;
          else if (part === 'b') value.push(v);
          else if (v !== null && held !== null) value.push([held, v]);
        }
      }
    }
    // Bands end with the last that was sent.
    if (part === 'b') while (value.length && value[value.length - 1] === null) value.pop();
    while (count-- > 0) extra.push(item(1));
    if (at < end) fail('bytes after the end', at);
    if (!rows[1]) {
      out.kind_number = kind;
      out.payload = hex(0, end);
      out.items = extra;
      return out;
    }
    out.extra = extra;
    // A capture: fragments, samples.
    v = out.data ? out.data.length / 4 : 0;
    if (
      late ||
      v % 1 ||
      (v && out.samples !== null && out.first !== null && out.first + v > out.samples) ||
      (out.count && out.index !== null && out.index >= out.count)
    )
      fail('it contradicts itself', first);
    return out;
  }

  // The bytes of a COMMAND of {tag, and one of settings: {name: value}, request (and axis), reboot: true}.
  function encode(data) {
    var bytes = [], chosen = [], all = settings(), actions = ["settings", "request", "reboot"], action, argument, names;

    function head(major, n) {
      var width = n < 24 ? 0 : n < 256 ? 1 : n < 65536 ? 2 : 4;
      bytes.push((major << 5) | (width ? 24 + (width >> 1) : n));
      while (width--) bytes.push((n / Math.pow(256, width)) & 255);
    }

    function find(name, list, value) {
      var i = list.indexOf(value);
      if (i < 0) fail(name + ': not one of ' + list);
      return i;
    }

    Object.keys(data).forEach(function (name) {
      find(name, ['tag', 'axis'].concat(actions), name);
    });
    action = actions.filter(function (name, i) {
      return i > 1 ? data[name] : data[name] != null;
    });
    if (action.length !== 1 || (data.axis != null && data.request !== 'capture')) fail('exactly one of ' + actions + '; an axis with capture only');
    action = actions.indexOf(action[0]);
    within('tag', data.tag, '4');
    head(4, 5 - action);
    head(0, 16);
    head(0, data.tag);
    head(0, action);
    if (action === 1) {
      argument = find('request', REQUESTS, data.request);
      if (data.request === 'capture') argument += 256 + 256 * find('axis', 'xyz'.split(''), data.axis);
      head(0, argument);
    }
    if (!action) {
      names = Object.keys(data.settings);
      names.forEach(function (name) {
        var known = all[name] || [], form = known[4], value = data.settings[name], text = [];
        if (known[2] !== name || !form) fail(name + ': not settable over the air');
        if (form[0] === 'w') {
          if (value === true) value = 'on';
          if (value === false) value = 'off';
          value = find(name, form.slice(1).split(','), typeof value === 'number' ? '' + value : value);
        } else if (form[0] === 't') {
          if (value !== '' + value || /[\0-\x1f\x7f]/.test(value)) fail(name + ': not plain text');
          encodeURIComponent(value).replace(/%(..)|./g, function (letter, code) {
            text.push(code ? parseInt(code, 16) : letter.charCodeAt());
          });
          within(name + ' length', text.length, '0,' + form.slice(1));
          value = text;
        } else {
          if (value === '' + value && /^-?\d+$/.test(value)) value = +value;
          within(name, value, form);
        }
        chosen[known[1]] = value;
      });
      within('settings', names.length, '1,64');
      bytes.push(246);
      head(5, names.length);
      // In order of keys, as forEach walks a sparse array.
      chosen.forEach(function (value, key) {
        head(0, key);
        if (value.concat) {
          head(3, value.length);
          bytes = bytes.concat(value);
        } else if (value < 0) head(1, -1 - value);
        else head(0, value);
      });
    }
    return bytes;
  }

  // What encode() makes such a command from.
  function order(bytes) {
    var found = decode(bytes, 1), out = { tag: found.tag }, n = found.argument;
    if (found.kind !== 'command') fail('not a command');
    out[found.action] = found.action === 'request' ? REQUESTS[n === null ? -1 : n % 256] || null : found.action !== 'settings' || found.settings;
    if (n > 255) out.axis = 'xyz'[(n >> 8) - 1] || null;
    return out;
  }

  return function (work, input) {
    try {
      return work < 2 ? { data: [decode, order][work](input.bytes) } : { bytes: encode(input.data), fPort: 17 };
    } catch (error) {
      return { errors: ['' + error] };
    }
  };
})();

function decodeUplink(input) {
  return judder(0, input);
}

function decodeDownlink(input) {
  return judder(1, input);
}

function encodeDownlink(input) {
  return judder(2, input);
}

// The Things Stack's normalized payload has no place for vibration, and none for a temperature but of air, soil or water.
function normalizeUplink(input) {
  var mv = input.data.battery_mv;
  return { data: mv == null ? [] : [{ battery: mv / 1000 }] };
}
