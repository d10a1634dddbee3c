"""A file of the Hugging Face Hub, by its own client."""

from __future__ import annotations

from pathlib import Path

from edgebias.core.errors import InputError


def hub_file(repository: str, file: str, revision: str, key: str) -> Path:
    """Return where the Hub's client keeps a file of ``repository``, downloaded where it is not there yet.

    Raises:
        InputError: it cannot be had.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repository, file, revision=revision))
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, ConnectionError, ValueError) as error:
        reason = str(error).strip().splitlines()
        raise InputError(
            f"{key}: {repository}/{file} at {revision} cannot be had from the Hub "
            f"({reason[0] if reason else type(error).__name__}); check the names, the network and the access token, "
            "or download it on another machine and name it here as a local file"
        ) from error
