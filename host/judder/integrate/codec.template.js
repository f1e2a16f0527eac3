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
    $KINDS
  };
  // [key]name[- secret][ what may be sent: low,high, wNAME,NAME or t and a length]. Without a key: one on.
  var SETTINGS =
    $SETTINGS;
  // only packed
  // In these texts each of LETTERS stands for its piece, and in pieces for those before.
  var LETTERS = $LETTERS;
  var PIECES = ($PIECES).split('^');
  // end
  var REQUESTS = $REQUESTS;
  var ODD = ': not of its type';

  // only packed
  function unpack(text) {
    for (var i = PIECES.length; i--; ) text = text.split(LETTERS[i]).join(PIECES[i]);
    return text;
  }

  // end
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
    $UNPACK(SETTINGS).split('|').forEach(function (row) {
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
      refuse(++items > $MAX_ITEMS || info > 27 || major === 6 || (major > 6 && info > 24), from);
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
      refuse(items + size * each > $MAX_ITEMS, from);
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
        refuse(depth > $DEEPEST, from);
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

    refuse(end > $MAX_FRAME_BYTES, $MAX_FRAME_BYTES);
    refuse(head() !== 4, 0);
    room(1, 0);
    count = size - 1;
    refuse(count < 0, 0);
    from = at;
    kind = item(1);
    refuse(type || kind > $MAX_KIND, from);
    first = at;
    rows = $UNPACK(KINDS[kind] || 'unknown').split('|');
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
          value = v & $ZONE_MASK;
          n = (v >> $ALARM_SHIFT) & $ALARM_MASK;
          late = value > $LAST_ZONE || n > $LAST_LEVEL || (value && v & $NO_ZONE);
          out.zone = '$ZONES'[value - 1] || null;
          out.alarm_level = $LEVELS[n];
          out.worst_axis = '$AXES'[((v >> $AXIS_SHIFT) & $AXIS_MASK) - 1] || null;
          for (n = 0; words[n]; n++) out[words[n]] = !!(v & ($FIRST_FLAG << n));
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
    var bytes = [], chosen = [], all = settings(), actions = $ACTIONS, action, argument, names;

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
    head(0, $COMMAND);
    head(0, data.tag);
    head(0, action);
    if (action === 1) {
      argument = find('request', REQUESTS, data.request);
      if (data.request === 'capture') argument += 256 + 256 * find('axis', '$AXES'.split(''), data.axis);
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
      within('settings', names.length, '$SETTINGS_RANGE');
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
    if (n > 255) out.axis = '$AXES'[(n >> 8) - 1] || null;
    return out;
  }

  return function (work, input) {
    try {
      return work < 2 ? { data: [decode, order][work](input.bytes) } : { bytes: encode(input.data), fPort: $COMMAND_PORT };
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
