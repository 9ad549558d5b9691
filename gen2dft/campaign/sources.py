"""Find the generator that a campaign names, and read its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, SerializeAsAny

from gen2dft.campaign.generator import GeneratorSpec
from gen2dft.campaign.version1 import FirstVersionSettings
from gen2dft.errors import CampaignError, not_one_of
from gen2dft.plugins import registry

DEFAULT = "ftcp"
ROUNDING = 1e-6  # of shares such as 0.333333


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
        There is none, its package cannot be imported, or it has the methods of neither kind.
    """
    known = registry("gen2dft.generators")
    if name not in known:
        raise CampaignError(not_one_of("generator", name, known))
    try:
        generator = known[name]()
    except Exception as err:  # another package may raise anything
        raise CampaignError(
            f"generator {name!r} cannot be loaded ({type(err).__name__}: {err}); repair or "
            "reinstall its package, see `gen2dft doctor`"
        ) from err
    if not (has_latent_space(generator) or hasattr(generator, "propose")):
        raise CampaignError(
            f"generator {name!r} has neither `propose` nor a latent space (`encode` and `decode`): "
            "see docs/plugins.md"
        )
    return generator


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


def shared_out(sources: Sequence[GeneratorSpec]) -> tuple[GeneratorSpec, ...]:
    """The sources of a campaign with their shares: as given, or equal ones.

    Raises
    ------
    ValueError
        Two sources have one label, or the shares are incomplete or do not add up to 1.
    """
    labels = [source.label for source in sources]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"two sources are called {twice[0]!r}: give each a `label` of its own")
    given = [source.share for source in sources if "share" in source.model_fields_set]
    if not given:
        equal = 1 / len(sources)
        return tuple(source.model_copy(update={"share": equal}) for source in sources)
    if len(given) < len(sources):
        raise ValueError(
            f"{len(given)} of {len(sources)} sources have a `share`: give all of them one, or none "
            "for equal shares"
        )
    if abs(sum(given) - 1) > ROUNDING:
        raise ValueError(f"the shares of the sources must add up to 1, and {given} do not")
    return tuple(sources)


def latent_labels(sources: Sequence[GeneratorSpec]) -> list[str] | None:
    """Labels of the sources with a latent space; None if a source is not installed here."""
    if any(isinstance(source, AbsentSettings) for source in sources):
        return None
    return [s.label for s in sources if has_latent_space(generator_class(s.name))]


def check_draws(sources: Sequence[GeneratorSpec], *, sampled: bool, draws: int | None) -> None:
    """Check that a campaign says how its sources draw.

    Parameters
    ----------
    sampled
        Whether the campaign has `sampling`.
    draws
        Its `draws`.

    Raises
    ------
    ValueError
        One of the two is missing, or has nothing to do with any source.
    """
    latent = latent_labels(sources)
    if latent is None:  # a stored campaign, which was checked where it was submitted
        return
    if latent and not sampled:
        raise ValueError(
            f"`sampling` is missing: say how points of the latent space of {latent[0]!r} are "
            "drawn, e.g. sampling: [{method: local, num_points: 1000}]"
        )
    if sampled and not latent:
        raise ValueError(
            f"`sampling` draws points of a latent space, and {sources[0].label!r} has none: give "
            "`draws`, the number of draws per round, instead"
        )
    if sampled and draws is not None:
        raise ValueError("`draws` and `sampling` do not go together: leave `draws` out")
    if not sampled and draws is None:
        raise ValueError("`draws` is missing: say how many crystals are drawn per round")


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
