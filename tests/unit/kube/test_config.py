"""The operator's own credentials are followed: kubelets and people replace tokens."""

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


def replace(token: Path) -> None:
    token.write_text("second")


async def present(configuration: Configuration) -> str | None:
    return await configuration.get_api_key_with_prefix("BearerToken")


async def test_good_ones_are_not_read_each_time(configuration: Configuration, token: Path) -> None:
    replace(token)
    assert await present(configuration) == "Bearer first"


async def test_they_are_read_again_after_a_while(
    configuration: Configuration, token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(token)
    monkeypatch.setattr(config, "CREDENTIALS_MAX_AGE_SECONDS", 0.0)
    assert await present(configuration) == "Bearer second"


@pytest.mark.parametrize("half", [0, 1, 60, 200])
async def test_a_file_that_is_half_written_is_no_credential_and_is_not_shown(
    configuration: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: int
) -> None:
    file = tmp_path / "kubeconfig"
    whole = file.read_text()
    file.write_text(whole[:half])
    monkeypatch.setattr(config, "CREDENTIALS_MAX_AGE_SECONDS", 0.0)
    with pytest.raises(ConfigException) as refusal:
        await present(configuration)
    assert "nowhere.example" not in str(refusal.value)
    file.write_text(whole)
    monkeypatch.setattr(config, "REJECTED_CREDENTIALS_MAX_AGE_SECONDS", 0.0)
    assert await present(configuration) == "Bearer first"


async def test_refused_ones_are_read_again_soon(
    configuration: Configuration, token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(token)
    monkeypatch.setattr(config, "REJECTED_CREDENTIALS_MAX_AGE_SECONDS", 0.0)
    assert await present(configuration) == "Bearer first"
    configuration.refresh_api_key_hook.mark_rejected()  # type: ignore[attr-defined] # the package types it as None
    assert await present(configuration) == "Bearer second"
