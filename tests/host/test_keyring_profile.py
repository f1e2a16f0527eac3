"""Keyring: private, whole or not at all. Profile: TOML to checked settings, errors that say what to do."""

import json
import stat
from pathlib import Path

import pytest

from judder.device import profile
from judder.device.keyring import Keyring
from judder.errors import InputError, SettingsError, exit_code

NODE = "70b3d5fffe000001"


def test_entry_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = Keyring(tmp_path / "keys").save(NODE, {"node_key": "00" * 32})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text())["node_key"] == "00" * 32


def test_saving_replaces_whole_and_leaves_no_scraps(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    keyring.save(NODE, {"n": 1})
    keyring.save(NODE, {"n": 2})
    assert keyring.load(NODE) == {"n": 2}
    assert [path.name for path in tmp_path.iterdir()] == [f"{NODE}.json"]


def test_unknown_node_is_none_and_damage_is_an_error(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    assert keyring.load(NODE) is None
    keyring.path(NODE).write_text("{")
    with pytest.raises(InputError, match="provision again"):
        keyring.load(NODE)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--keys"):
        Keyring(tmp_path / "file" / "keys").save(NODE, {})


def write(folder: Path, text: str) -> Path:
    path = folder / "profile.toml"
    path.write_text(text)
    return path


def test_profile_gives_stored_values(tmp_path: Path) -> None:
    text = '[settings]\nmode = "duty"\ninterval_s = 30\nlink = "wifi"\nwifi_ssid = "plant"\nmqtt_host = "broker"\n'
    values = profile.load(write(tmp_path, text))
    assert values == {"mode": 0, "interval_s": 30, "link": 1, "wifi_ssid": "plant", "mqtt_host": "broker"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[settings]\ninterval = 30\n", "interval_s"),  # nearest name offered
        ("[settings]\ninterval_s = 86401\n", "86400"),
        ("[settings]\ninterval_s = -1\n", "interval_s"),
        ('[settings]\ninterval_s = "soon"\n', "interval_s"),
        ('[settings]\nlink = "lorawan"\nlorawan_activation = "abp"\n', "dev_addr"),
        ('[settings]\nlorawan_region = "eu869"\n', "eu868"),
        ('[settings]\napp_key = "00"\n', "made at provisioning"),
        ("[settings]\ninterval_s = true\n", "interval_s"),
        ('[settings]\nmode = "turbo"\n', "continuous"),
        ('[settings]\nmqtt_ca = "xyz"\n', "hex"),
        ('[settings]\nnode_key = "00"\n', "made at provisioning"),
        (f'[settings]\nlabel = "{"x" * 65}"\n', "64"),
    ],
)
def test_wrong_setting_is_named_with_what_it_allows(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        profile.load(write(tmp_path, text))
    assert "profile.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert exit_code(caught.value) == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [("[settings", "not valid TOML"), ("[setings]\n", "setings"), ("settings = 3\n", "section")],
)
def test_wrong_file_is_an_input_error(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        profile.load(write(tmp_path, text))


def test_missing_file() -> None:
    with pytest.raises(InputError, match="cannot read the profile"):
        profile.load(Path("nowhere.toml"))
