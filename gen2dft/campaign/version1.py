"""The form in which the first version read and wrote the generator's part of a campaign.

The first version kept the keys of all generators in one model, so every stored spec names all of
them: a campaign with `ftcp` also carries the settings of `imatgen`. A campaign's id is the hash of
its dumped spec, a snapshot's id the hash of bytes that contain it. Generators of that time are
therefore read and written in the old form, and campaigns started then keep their ids. Generators
that came later are written as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    create_model,
    model_validator,
)
from pydantic.fields import FieldInfo

from gen2dft.campaign.autoencoder import AutoencoderSettings
from gen2dft.campaign.part import Part
from gen2dft.plugins import registry

# Keys that every generator had, and the generator that reads them.
READERS = {"fourier": "ftcp", "reads": "ftcp", "imatgen": "imatgen"}
# Checkpoints and kept snapshots are found by a hash of the dumped settings in this order.
ORDER = (
    "name",
    "variant",
    *READERS,
    "properties",
    "latent_dim",
    "epochs",
    "epochs_warm",
    "batch_size",
    "learning_rate",
    "beta",
    "property_weight",
    "holdout",
)


class FirstVersionSettings(AutoencoderSettings):
    """Settings of the generators that the first version knew.

    A generator of another package that has no `Settings` gets these.
    """

    variant: Literal["gen2dft", "published"] = Field(
        "gen2dft",
        description="`published`: networks, loss and training as in the paper; changes the "
        "defaults of other keys",
    )

    _unread: Part = PrivateAttr()

    @model_validator(mode="wrap")
    @classmethod
    def _keep_unread_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        given = cls.with_published(data) if data.get("variant") == "published" else data
        others = unread_keys(cls)
        own = {key: value for key, value in given.items() if key not in others.model_fields}
        settings = handler(own)
        rest = {key: value for key, value in given.items() if key in others.model_fields}
        settings._unread = others.model_validate(rest)  # noqa: SLF001 - of this very class
        return settings

    @classmethod
    def readable(cls) -> dict[str, FieldInfo]:
        """The fields of the keys that are read, those of other generators included."""
        return {**unread_keys(cls).model_fields, **cls.model_fields}

    @classmethod
    def with_published(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The data with the defaults of the variant `published`, if the generator has any."""
        return data

    def training_settings(self) -> dict[str, Any]:
        """Everything that the result of a training depends on, as plain values.

        Trainings of `imatgen` have always been told apart by all keys, those of other generators
        by all but the settings of `imatgen`.
        """
        settings = super().training_settings()
        if "imatgen" not in type(self).model_fields:
            del settings["imatgen"]
        return settings

    def written(self, data: dict[str, Any]) -> dict[str, Any]:
        """The dumped data with the keys that another generator reads."""
        found = super().written(data) | self._unread.model_dump(mode="json")
        later = [key for key in found if key not in ORDER]
        return {key: found[key] for key in (*ORDER, *later) if key in found}


@functools.cache
def unread_keys(settings: type[FirstVersionSettings]) -> type[Part]:
    """A part with the keys of the first version that a class of settings has not of its own.

    Type and default of a key are those that its reader gives it.
    """
    fields: dict[str, Any] = {}
    for key, reader in READERS.items():
        if key not in settings.model_fields:
            owner = registry("gen2dft.generators")[reader]().Settings
            field = owner.model_fields[key]
            fields[key] = (field.annotation, field)
    return create_model("UnreadKeys", __base__=Part, **fields)
