"""Stand-ins for networks whose plug-in is not loaded."""

from typing import TYPE_CHECKING, NoReturn

from engine.errors import PluginMissingError
from engine.networks.network import Network
from engine.networks.spec import NetworkSpec
from engine.system.registry import Origin

if TYPE_CHECKING:
    from torch import nn


class AbsentNetwork(Network):
    """A network whose plug-in is not loaded, as described by its run."""

    about = "Its plug-in is not loaded."

    def __init__(self, title: str, normalises: bool, encoder: str, decoder: str, origin: Origin) -> None:
        self.title, self.normalises = title, normalises
        self._encoder_words, self._decoder_words = encoder, decoder
        self.origin = origin

    @classmethod
    def of(cls, network: Network, origin: Origin) -> "AbsentNetwork":
        """Return a stand-in for a network whose plug-in is being unloaded."""
        encoder, decoder = network.encoder_words(0, "none"), network.decoder_words()
        return cls(network.title, network.normalises, encoder, decoder, origin)

    def encoder(self, spec: NetworkSpec) -> "nn.Module":
        """Raise PluginMissingError."""
        self._refuse()

    def decoder(self, spec: NetworkSpec) -> "nn.Module":
        """Raise PluginMissingError."""
        self._refuse()

    def encoder_words(self, side: int, normalisation: str) -> str:
        """Return the run's description of the encoder."""
        return self._encoder_words

    def decoder_words(self) -> str:
        """Return the run's description of the decoder."""
        return self._decoder_words

    def _refuse(self) -> NoReturn:
        raise PluginMissingError(self.origin.needed_by(f"The network {self.title}"))
