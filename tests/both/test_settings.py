"""The settings table: ranges, names, contradictions, the stored record, secrets."""

from portable import raises

from judder_core import cbor, schema, settings
from judder_core.errors import DecodeError, SettingsError

WIFI = {"link": 1, "wifi_ssid": "plant", "mqtt_host": "10.0.0.2"}


def test_integers_keep_to_their_ranges():
    for key, name, kind, low, high, default, _secret, _meaning in settings.SETTINGS:
        if kind == "int":
            for good in (low, high, default):
                assert settings.check(name, good) == good
                assert settings.check(key, good) == good
            for bad in (low - 1, high + 1):
                error = raises(SettingsError, settings.check, name, bad)
                assert str(error) == "%s: %d is outside %d..%d" % (name, bad, low, high)
                assert (error.name, error.key) == (name, key)
            for bad in (True, "1", 1.5, None, b"1"):
                raises(SettingsError, settings.check, name, bad)


def test_texts_and_bytes_keep_to_their_lengths():
    for _key, name, kind, _low, high, default, _secret, _meaning in settings.SETTINGS:
        if kind == "text":
            assert settings.check(name, "x" * high) == "x" * high
            raises(SettingsError, settings.check, name, "x" * (high + 1))
            raises(SettingsError, settings.check, name, b"x")
        elif kind == "bytes":
            assert settings.check(name, bytes(high)) == bytes(high)
            assert settings.check(name, default) == default
            for bad in (bytes(high + 1), "00", 5):
                raises(SettingsError, settings.check, name, bad)
    # Lengths are bytes of UTF-8, which is what the node stores and Wi-Fi counts.
    assert settings.check("wifi_ssid", "é" * 16) == "é" * 16
    raises(SettingsError, settings.check, "wifi_ssid", "é" * 17)
    for bad in ("a\nb", "a\0b", "\x7f"):
        raises(SettingsError, settings.check, "label", bad)
    for bad in (bytes(7), bytes(9)):
        raises(SettingsError, settings.check, "node_id", bad)


def test_choices_by_name_or_stored_index():
    assert settings.check("mode", "duty") == 0 and settings.check("mode", 1) == 1
    for bad in (2, -1, "fast", True, None):
        error = raises(SettingsError, settings.check, "mode", bad)
        assert "duty, continuous" in str(error)


def test_unknown_names_offer_the_nearest():
    assert "did you mean interval_s?" in str(raises(SettingsError, settings.check, "intervall", 1))
    assert "did you mean wifi_ssid?" in str(raises(SettingsError, settings.from_text, "wifi_sid", "x"))
    assert "did you mean" not in str(raises(SettingsError, settings.check, "zzzzzzzzzzzzzz", 1))
    raises(SettingsError, settings.check, 999, 1)
    raises(SettingsError, settings.pack, {"intervall_s": 1})


def test_defaults_are_allowed_and_fit_together():
    values = settings.defaults()
    assert len(values) == len(settings.SETTINGS)
    for name in values:
        assert settings.check(name, values[name]) == values[name]
    settings.check_together(values)


def test_contradictions():
    for wrong, named in (
        ({"block_samples": 1001}, "block_samples"),
        ({"acceleration_rms_warning_mg": 500, "acceleration_rms_danger_mg": 499}, "acceleration_rms_danger_mg"),
        ({"temperature_warning_dc": 800, "temperature_danger_dc": 1}, "temperature_danger_dc"),
        ({"velocity_rms_warning_cmm_s": 450, "velocity_rms_danger_cmm_s": 449}, "velocity_rms_danger_cmm_s"),
        ({"envelope_rms_warning_mg": 2, "envelope_rms_danger_mg": 1}, "envelope_rms_danger_mg"),
        ({"kurtosis_warning_c": 500, "kurtosis_danger_c": 400}, "kurtosis_danger_c"),
        ({"temperature_rise_warning_dc": 300, "temperature_rise_danger_dc": 200}, "temperature_rise_danger_dc"),
        ({"baseline_warning_percent": 400, "baseline_danger_percent": 200}, "baseline_danger_percent"),
        ({"confirm_readings": 2}, "confirm_readings"),
        ({"machine_group": "2"}, "machine_speed_rpm"),
        ({"link": "wifi", "mqtt_host": "h"}, "wifi_ssid"),
        ({"link": "wifi", "wifi_ssid": "s"}, "mqtt_host"),
        ({"wifi_password": "1234567"}, "wifi_password"),
        ({"mqtt_tls": "on"}, "mqtt_ca"),
        ({"mqtt_password": "p"}, "mqtt_user"),
    ):
        error = raises(SettingsError, settings.pack, wrong)
        assert error.name == named and error.key == settings.row(named)[0]
        # A record that says so is refused as well: it may have been written by something else.
        by_key = {settings.row(name)[0]: settings.check(name, wrong[name]) for name in wrong}
        assert raises(SettingsError, settings.unpack, cbor.encode(by_key)).name == named
    settings.pack(WIFI)
    settings.pack({"acceleration_rms_warning_mg": 500, "acceleration_rms_danger_mg": 500})
    settings.pack({"acceleration_rms_danger_mg": 500})  # a warning limit of 0 is switched off
    settings.pack({"confirm_readings": 3, "confirm_of": 5})


def test_pack_and_unpack():
    given = {"label": "Pumpe 3, Süd", "interval_s": 0, "mode": "duty", "node_key": bytes(range(32))}
    data = settings.pack(given)
    # key 2: 32 bytes, 3: text, 10: 0, 11: 0 (RFC 8949 section 3 by hand)
    assert data.hex() == "a4025820" + bytes(range(32)).hex() + "036d50756d706520332c2053c3bc64" + "0a000b00"
    values, unknown = settings.unpack(data)
    assert unknown == {}
    assert values["label"] == "Pumpe 3, Süd" and values["interval_s"] == 0 and values["mode"] == 0
    assert values["node_key"] == bytes(range(32)) and values["mqtt_port"] == 1883
    assert settings.unpack(settings.pack({}))[0] == settings.defaults()


def test_unknown_keys_are_kept_and_damage_is_refused():
    values, unknown = settings.unpack(cbor.encode({11: 5, 999: "later"}))
    assert values["interval_s"] == 5 and unknown == {999: "later"}
    raises(SettingsError, settings.unpack, cbor.encode({11: 86401}))
    raises(SettingsError, settings.unpack, cbor.encode({10: "duty"}))
    raises(SettingsError, settings.unpack, cbor.encode({"interval_s": 5}))
    raises(SettingsError, settings.unpack, cbor.encode([1]))
    data = settings.pack(WIFI)
    for length in range(len(data)):
        raises(DecodeError, settings.unpack, data[:length])
    raises(DecodeError, settings.unpack, data + b"\0")


def test_as_people_write_them():
    for name, written, stored in (
        ("mode", "continuous", 1),
        ("range_g", 16, 3),
        ("range_g", "2", 0),
        ("mqtt_tls", True, 1),
        ("mqtt_tls", "off", 0),
        ("interval_s", "300", 300),
        ("interval_s", 300, 300),
        ("node_id", "70B3D5FFFE000001", bytes.fromhex("70b3d5fffe000001")),
        ("label", "Pump", "Pump"),
    ):
        assert settings.from_text(name, written) == stored, name
    # A number is what the choice is called, never its index.
    raises(SettingsError, settings.from_text, "range_g", 3)
    for name, written in (
        ("mode", True),
        ("mode", 1.0),
        ("interval_s", "5 s"),
        ("interval_s", "-5"),
        ("interval_s", ""),
        ("node_id", "70b3"),
        ("node_id", "xyz"),
        ("label", 5),
    ):
        raises(SettingsError, settings.from_text, name, written)


def test_secrets_are_never_shown():
    secrets = [row[1] for row in settings.SETTINGS if row[6]]
    assert secrets == ["node_key", "wifi_password", "mqtt_password", "app_key", "nwk_s_key", "app_s_key"]
    for name in secrets:
        assert settings.to_text(name, b"hunter2hunter2") == "(set)"
        assert settings.to_text(name, b"") == "(not set)"
        for check in (settings.check, settings.from_text):
            assert "hunter2" not in str(raises(SettingsError, check, name, ["hunter2"]))
            assert "hunter2" not in str(raises(SettingsError, check, name, "hunter2" * 60))
            assert "hunter2" not in str(raises(SettingsError, check, name, "hunter2\n"))
    assert "hunter2" not in str(raises(SettingsError, settings.pack, {"wifi_password": "hunter2"}))


def test_shown_as_written():
    for name, stored, shown in (("mode", 0, "duty"), ("range_g", 3, "16"), ("interval_s", 5, "5"), ("label", "a", "a")):
        assert settings.to_text(name, stored) == shown
    assert settings.to_text("node_id", b"\x70\xb3\xd5\xff\xfe\0\0\1") == "70b3d5fffe000001"


def test_table_keeps_its_promises():
    keys = [row[0] for row in settings.SETTINGS]
    names = [row[1] for row in settings.SETTINGS]
    assert keys == sorted(set(keys)) and len(set(names)) == len(names)
    for key in settings.OVER_THE_AIR_REFUSED:
        assert key in keys
    for row in settings.SETTINGS:
        if row[6]:
            assert row[0] in settings.OVER_THE_AIR_REFUSED
    assert settings.row("link")[3] == schema.LINKS


def test_names_come_close():
    assert settings._distance("kitten", "sitting") == 3  # the textbook example
    assert settings._distance("", "abc") == 3 and settings._distance("abc", "abc") == 0
