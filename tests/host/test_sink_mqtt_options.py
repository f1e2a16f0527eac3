"""Options of sinks that publish: a wrong one names its key, and no key is shown."""

from pathlib import Path
from typing import Any

import pytest

from judder.errors import InputError
from judder.sink.mqtt import MqttOptions, Publisher
from judder.sink.mqtt_json import MqttJsonOptions


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"host": ""}, "host"),
        ({"host": "mqtt://broker"}, "host"),
        ({"port": 65536}, "port"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"protocol": "3.1"}, "protocol"),
        ({"password": "x"}, "user"),
        ({"tls": True, "cert_file": Path("c.pem")}, "cert_file, key_file"),
        ({"topic": "judder/{nod}/x"}, "topic"),
        ({"topic": "judder/{node/x"}, "topic"),
        ({"topic": "judder/{}/x"}, "topic"),
        ({"topic": "judder/+/{kind}"}, "topic"),
        ({"topic": ""}, "topic"),
        ({"topic": "plant/judder/{node}/up"}, "topic"),
    ],
)
def test_wrong_options_name_the_key(options: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError, match=f"^{key}:"):
        MqttJsonOptions(**options)


def test_the_port_follows_tls() -> None:
    assert (MqttOptions().port, MqttOptions(tls=True).port, MqttOptions(tls=True, port=1).port) == (1883, 8883, 1)


def test_files_imply_tls() -> None:
    """Or a password would go in the clear to a broker whose certificate somebody took the pains to name."""
    assert MqttOptions(ca_file=Path("ca.pem")).port == 8883
    assert MqttOptions(cert_file=Path("c.pem"), key_file=Path("k.pem")).tls


def test_keys_are_not_shown() -> None:
    assert "S3CRET" not in repr(MqttOptions(user="u", password="S3CRET"))


def test_certificates_that_are_not_there_name_the_key(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^ca_file: cannot use"):
        Publisher(MqttOptions(tls=True, ca_file=tmp_path / "none.pem"))
    with pytest.raises(InputError, match=r"^cert_file: cannot use"):
        Publisher(MqttOptions(tls=True, cert_file=tmp_path / "none.pem", key_file=tmp_path / "none.key"))
