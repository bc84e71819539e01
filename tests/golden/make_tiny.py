"""Make the golden model and what rows of seed 7 it has to draw, for ever.

    .venv/bin/python -P tests/golden/make_tiny.py

It writes tiny.onnx and tiny.json beside itself. The weights come from numpy's Philox, the expected rows from torch, so
the sampler is checked against neither of its own parts. Make them again only with a new version of the contract: a
seed that someone wrote down must keep its meaning.
"""

import json
from pathlib import Path

import numpy as np
import torch

from ecgsynth.core.config import TrainConfig
from ecgsynth.models.clusters import Clusters
from ecgsynth.models.scaling import PrincipalScaler
from ecgsynth.models.wgan import NOISE_GAIN, Generator, WGANConfig
from ecgsynth.synthesizer import Synthesizer
from ecgsynth.training.about import About, TrainingInfo
from ecgsynth.windows.info import ClassInfo, DataInfo, Source

HERE = Path(__file__).resolve().parent
SEED, ROWS = 7, 8
SHARES = (np.array([0.5, 0.3, 0.2]), np.array([0.75, 0.25]), np.array([1.0]))  # of the clusters of N, S and V
CONFIG = WGANConfig(
    time=32,
    channels=2,
    components=8,
    intervals=2,
    clusters=(3, 2, 1),
    latent_steps=3,
    step_noise=3,  # 9 normals and 10 for the features: an odd number, so that one of the pairs is half used
    hidden=8,
    cluster_dim=4,
    read_out=8,
    critic_hidden=16,
)


def tiny(seed: int = 0) -> Synthesizer:
    """A generator of three classes with three, two and one cluster, of two leads, with RR intervals; untrained."""
    rng = np.random.Generator(np.random.Philox(seed))
    generator = Generator(CONFIG)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.copy_(torch.from_numpy(rng.normal(size=tuple(parameter.shape)) / 2))
        generator.noise.bias.fill_(NOISE_GAIN)
    clusters = (sum(CONFIG.clusters), CONFIG.features)
    generator.set_clusters(
        Clusters(
            numbers=np.zeros(0, dtype=np.int64),
            shares=SHARES,
            centres=rng.normal(size=clusters).astype(np.float32),
            spreads=rng.uniform(0.1, 0.3, size=clusters).astype(np.float32),
        )
    )
    size = CONFIG.time * CONFIG.channels
    axes, _ = np.linalg.qr(rng.normal(size=(size, CONFIG.components)))
    scaler = PrincipalScaler(
        time=CONFIG.time,
        channels=CONFIG.channels,
        mean=np.sin(np.arange(size) / 5),
        weights=np.ones(CONFIG.channels),
        transformed=np.zeros(CONFIG.channels),
        quantiles=np.zeros((CONFIG.channels, 24)),
        references=np.zeros((CONFIG.channels, 24)),
        axes=axes.T,
        scales=0.5 / np.arange(1, CONFIG.components + 1),
        interval_means=np.log([0.8, 0.7]),
        interval_scales=np.array([0.2, 0.1]),
        explained=1.0,
    )
    data = DataInfo(
        kind="beats",
        fs_hz=360.0,
        units="mV",
        time=CONFIG.time,
        channel_names=("MLII", "V5"),
        event_index=10,
        classes=(
            ClassInfo(name="N", meaning="normal or bundle branch block beat", share=0.5),
            ClassInfo(name="S", meaning="supraventricular ectopic beat", share=0.2),
            ClassInfo(name="V", meaning="ventricular ectopic beat", share=0.3),
        ),
        source=Source(name="random weights", licence="none needed", citation="nobody's"),
        split="beat",
        training_windows=0,
        training_patients=0,
    )
    training = TrainingInfo(model="rwgan", config=TrainConfig(steps=1, seed=seed))  # of which no step was made
    return Synthesizer(scaler, generator, About(data=data, training=training))


def main() -> None:
    """Write both files."""
    made = tiny()
    made.export(HERE / "tiny.onnx", force=True)
    drawn = made.sample(ROWS, seed=SEED)
    content = {
        "seed": SEED,
        "labels": [made.classes[code] for code in drawn.labels],
        "values": drawn.values.astype(float).round(6).tolist(),
        "rr_s": np.asarray(drawn.rr_s, dtype=float).round(6).tolist(),
    }
    (HERE / "tiny.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
