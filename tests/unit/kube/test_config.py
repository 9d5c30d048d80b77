"""The operator reads its own credentials again, because kubelets and people replace tokens."""

import json
from pathlib import Path

import pytest
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException

from execution_operator.kube import config
from execution_operator.kube.config import load_configuration


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("first")
    return file


@pytest.fixture
async def configuration(tmp_path: Path, token: Path) -> Configuration:
    config = {
        "clusters": [{"name": "it", "cluster": {"server": "https://nowhere.example"}}],
        "users": [{"name": "it", "user": {"tokenFile": str(token)}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    return await load_configuration(file)


def replace_token(token: Path) -> None:
    token.write_text("second")


async def authorization_header(configuration: Configuration) -> str | None:
    return await configuration.get_api_key_with_prefix("BearerToken")


async def test_accepted_credentials_are_not_read_for_each_request(configuration: Configuration, token: Path) -> None:
    replace_token(token)
    assert await authorization_header(configuration) == "Bearer first"


async def test_credentials_are_read_again_at_their_maximum_age(
    configuration: Configuration, token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_token(token)
    monkeypatch.setattr(config, "CREDENTIALS_MAX_AGE_SECONDS", 0.0)
    assert await authorization_header(configuration) == "Bearer second"


@pytest.mark.parametrize("half", [0, 1, 60, 200])
async def test_a_half_written_file_is_an_error_that_does_not_quote_it(
    configuration: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: int
) -> None:
    file = tmp_path / "kubeconfig"
    whole = file.read_text()
    file.write_text(whole[:half])
    monkeypatch.setattr(config, "CREDENTIALS_MAX_AGE_SECONDS", 0.0)
    with pytest.raises(ConfigException) as refusal:
        await authorization_header(configuration)
    assert "nowhere.example" not in str(refusal.value)
    file.write_text(whole)
    monkeypatch.setattr(config, "REJECTED_CREDENTIALS_MAX_AGE_SECONDS", 0.0)
    assert await authorization_header(configuration) == "Bearer first"


async def test_rejected_credentials_are_read_again_soon(
    configuration: Configuration, token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_token(token)
    monkeypatch.setattr(config, "REJECTED_CREDENTIALS_MAX_AGE_SECONDS", 0.0)
    assert await authorization_header(configuration) == "Bearer first"
    configuration.refresh_api_key_hook.mark_rejected()  # type: ignore[attr-defined] # the package types it as None
    assert await authorization_header(configuration) == "Bearer second"
