"""Names of the models in torchvision and pycls: an exact table, so that `regnety_16` is never taken for a model.

torchvision's names mean its `DEFAULT` weights, pycls's the paper's own. A repository on the Hub with published weights
is one more name for them.
"""

from collections.abc import Mapping
from functools import cache

from regnety.catalog.addresses import HUB, split_address

_SIZES = {
    "002": "200MF",
    "004": "400MF",
    "006": "600MF",
    "008": "800MF",
    "016": "1.6GF",
    "032": "3.2GF",
    "040": "4.0GF",
    "064": "6.4GF",
    "080": "8.0GF",
    "120": "12GF",
    "160": "16GF",
    "320": "32GF",
}
"""timm's suffix for the size of a model to pycls's, in multiply-adds."""
# torchvision fits groups by another rule: its 400MF, 800MF and 8GF are other networks, hence `_tv`.
_TORCHVISION = {
    "regnet_x_400mf": "regnetx_004_tv.tv2_in1k",
    "regnet_x_800mf": "regnetx_008.tv2_in1k",
    "regnet_x_1_6gf": "regnetx_016.tv2_in1k",
    "regnet_x_3_2gf": "regnetx_032.tv2_in1k",
    "regnet_x_8gf": "regnetx_080.tv2_in1k",
    "regnet_x_16gf": "regnetx_160.tv2_in1k",
    "regnet_x_32gf": "regnetx_320.tv2_in1k",
    "regnet_y_400mf": "regnety_004.tv2_in1k",
    "regnet_y_800mf": "regnety_008_tv.tv2_in1k",
    "regnet_y_1_6gf": "regnety_016.tv2_in1k",
    "regnet_y_3_2gf": "regnety_032.tv2_in1k",
    "regnet_y_8gf": "regnety_080_tv.tv2_in1k",
    "regnet_y_16gf": "regnety_160.tv2_in1k",
    "regnet_y_32gf": "regnety_320.tv2_in1k",
    "regnet_y_128gf": "regnety_1280.swag_ft_in1k",  # there are no tv2 weights of it
}


@cache
def aliases() -> Mapping[str, str]:
    """Another library's name of a model to ours, with the tag of the weights that it means there."""
    pycls = {
        f"RegNet{kind}-{size}": f"regnet{kind.lower()}_{number}.pycls_in1k"
        for kind in "XY"
        for number, size in _SIZES.items()
    }
    return {**_TORCHVISION, **pycls}


def our_name(name: str) -> str:
    """Our name for a model that is given by any of its names; any other text is returned unchanged."""
    scheme, repository = split_address(name)
    if scheme == HUB:
        from regnety.catalog.published import weights_by_repository  # late: only an address needs it

        weights = weights_by_repository().get(repository)
        return name if weights is None else weights.name
    return aliases().get(name, name)
