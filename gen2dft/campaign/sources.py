"""Find the generator that a campaign names, and read its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, SerializeAsAny

from gen2dft.campaign.generator import GeneratorSpec
from gen2dft.campaign.version1 import FirstVersionSettings
from gen2dft.errors import CampaignError, not_one_of
from gen2dft.plugins import registry

DEFAULT = "ftcp"


class AbsentSettings(GeneratorSpec):
    """Settings of a generator that is not installed here, kept as they were stored.

    Stored campaigns can be read, shown and exported without the packages that they ran with.
    """

    model_config = ConfigDict(extra="allow")


def generator_class(name: str) -> type[Any]:
    """The registered generator of that name.

    Raises
    ------
    CampaignError
        There is none, which names the choices, or its package cannot be imported.
    """
    known = registry("gen2dft.generators")
    if name not in known:
        raise CampaignError(not_one_of("generator", name, known))
    try:
        return known[name]()
    except Exception as err:  # another package may raise anything
        raise CampaignError(
            f"generator {name!r} cannot be loaded ({type(err).__name__}: {err}); repair or "
            "reinstall its package, see `gen2dft doctor`"
        ) from err


def settings_class(name: object) -> type[GeneratorSpec]:
    """The class that reads the settings of the generator of that name.

    Raises
    ------
    CampaignError
        The generator's `Settings` are no `GeneratorSpec`.
    """
    try:
        generator = generator_class(str(name))
    except CampaignError:
        return AbsentSettings
    settings = getattr(generator, "Settings", FirstVersionSettings)
    if not (isinstance(settings, type) and issubclass(settings, GeneratorSpec)):
        raise CampaignError(
            f"generator {name!r}: its `Settings` must derive from gen2dft.campaign.GeneratorSpec"
        )
    return settings


def has_latent_space(generator: object) -> bool:
    """Whether a generator, or its class, encodes crystals to latent vectors and decodes them."""
    return all(hasattr(generator, method) for method in ("encode", "decode"))


def read_generator(data: Any) -> Any:
    """Settings of the generator that the data name, `ftcp` if they name none.

    Data that are no mapping are returned as they are, for pydantic to judge.
    """
    if not isinstance(data, Mapping):
        return data
    named = {"name": DEFAULT, **data}
    return settings_class(named["name"]).model_validate(named)


# A field of this type holds the settings of whichever generator the data name.
AnyGeneratorSpec = Annotated[SerializeAsAny[GeneratorSpec], BeforeValidator(read_generator)]
