"""TimeGAN's networks and steps against known answers and slow references."""

import copy
import dataclasses
import logging
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from ecgsynth.models.timegan import (
    GATE,
    Latents,
    Nets,
    Recurrent,
    TimeGANConfig,
    TimeGANGenerator,
    adversarial_loss,
    discriminator_loss,
    discriminator_step,
    embedding_objective,
    embedding_step,
    generator_objective,
    generator_step,
    moments_loss,
    reconstruction_loss,
    supervised_loss,
    supervisor_step,
)

pytestmark = pytest.mark.trains

CONFIG = TimeGANConfig(time=6, channels=2, classes=3, frame=2, hidden=5, layers=2, noise=3)
CELLS = pytest.mark.parametrize("cell", ["gru", "lstm"])
LABELS = torch.tensor([0, 2, 1, 1])
RATE = 0.1


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=rng(seed))


def some_nets(config: TimeGANConfig = CONFIG, optimizer: type[torch.optim.Optimizer] = torch.optim.SGD) -> Nets:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        generator = TimeGANGenerator(config)
        embedder = Recurrent(config, config.frame * config.channels, config.hidden, config.layers)
        discriminator = Recurrent(config, config.hidden, 1, config.layers, squash=False)
    groups = [
        [*embedder.parameters(), *generator.recovery.parameters()],
        [*generator.generator.parameters(), *generator.supervisor.parameters()],
        [*discriminator.parameters()],
    ]
    return Nets(generator, embedder, discriminator, *(optimizer(group, lr=RATE) for group in groups))  # type: ignore[call-arg]


@pytest.fixture
def nets() -> Nets:
    return some_nets()


@pytest.fixture
def batch() -> tuple[Tensor, Tensor, Tensor]:
    return uniform(4, CONFIG.features), LABELS, uniform(4, CONFIG.latent_steps, CONFIG.noise, seed=1)


def parts(nets: Nets) -> dict[str, nn.Module]:
    made = nets.generator
    return {
        "embedder": nets.embedder,
        "recovery": made.recovery,
        "generator": made.generator,
        "supervisor": made.supervisor,
        "discriminator": nets.discriminator,
    }


def moved(nets: Nets, before: dict[str, dict[str, Tensor]]) -> set[str]:
    """The networks of which a weight has changed."""
    return {
        name
        for name, part in parts(nets).items()
        if any(not torch.equal(value, before[name][key]) for key, value in part.state_dict().items())
    }


def weights(nets: Nets) -> dict[str, dict[str, Tensor]]:
    return {name: copy.deepcopy(part.state_dict()) for name, part in parts(nets).items()}


# ---- networks


@CELLS
def test_networks_look_back_only(cell: str) -> None:
    net = some_nets(dataclasses.replace(CONFIG, cell=cell)).embedder
    x = uniform(4, 3, 4)
    other = x.clone()
    other[:, 2] += 1
    one, two = net(x, LABELS), net(other, LABELS)
    assert torch.equal(one[:, :2], two[:, :2])
    assert (one[:, 2] != two[:, 2]).all()


def test_the_supervisor_has_a_layer_less_and_the_cell_is_that_of_the_settings() -> None:
    nets = some_nets(dataclasses.replace(CONFIG, cell="lstm", layers=3))
    layers = {name: part.rnn.num_layers for name, part in parts(nets).items()}  # type: ignore[union-attr]
    assert layers == {"embedder": 3, "recovery": 3, "generator": 3, "supervisor": 2, "discriminator": 3}
    assert all(isinstance(part.rnn, nn.LSTM) for part in parts(nets).values())
    assert all(isinstance(part.rnn, nn.GRU) for part in parts(some_nets()).values())


@CELLS
def test_what_differs_between_windows_comes_through_when_training_begins(cell: str) -> None:
    nets = some_nets(TimeGANConfig(time=24, channels=5, cell=cell))
    code = nets.embed(uniform(64, 120), torch.zeros(64, dtype=torch.int64))
    assert code.std(dim=0).mean() > 0.02  # with torch's own start 0.001 or less
    back = nets.generator.recover(code, torch.zeros(64, dtype=torch.int64))
    assert back.std(dim=0).mean() > 0.003  # with torch's own start 0.00002 or less


@pytest.mark.parametrize("network", ["embedder", "recovery", "generator", "supervisor", "discriminator"])
def test_every_network_reads_the_class_at_every_step(nets: Nets, network: str) -> None:
    net = parts(nets)[network]
    assert isinstance(net, Recurrent)
    x = uniform(1, 3, net.rnn.input_size - net.embed.embedding_dim).expand(3, -1, -1)  # type: ignore[union-attr]
    zero, one, two = net(x, torch.arange(3))
    assert not torch.isclose(zero, one).any()
    assert not torch.isclose(one, two).any()


def test_without_classes_the_label_is_not_read() -> None:
    made = some_nets(dataclasses.replace(CONFIG, classes=1)).generator
    draws = uniform(4, CONFIG.noise_dim)
    assert torch.equal(made.from_uniform(draws, LABELS), made.from_uniform(draws, LABELS * 0))
    assert made.generator.embed is None


def test_the_class_changes_what_is_made(nets: Nets) -> None:
    draws = uniform(1, CONFIG.noise_dim).expand(3, -1)
    zero, one, two = nets.generator.from_uniform(draws, torch.arange(3))
    assert (zero - one).abs().max() > 1e-3
    assert (one - two).abs().max() > 1e-3


def test_a_window_is_written_time_first_then_channel(nets: Nets) -> None:
    made = nets.generator
    with torch.no_grad():  # each number of a frame has its own constant
        made.recovery.head.weight.zero_()
        made.recovery.head.bias.copy_(torch.tensor([-2.0, -1.0, 1.0, 2.0]))  # (sample, channel) of a frame
        window = made.from_uniform(uniform(1, CONFIG.noise_dim), LABELS[:1]).view(CONFIG.time, CONFIG.channels)
    assert torch.allclose(window.logit(), torch.tensor([[-2.0, -1.0], [1.0, 2.0]] * 3), atol=1e-5)


def test_a_frame_of_a_window_is_a_step_of_its_code_and_of_its_noise(nets: Nets) -> None:
    x = uniform(1, CONFIG.features).view(1, CONFIG.time, CONFIG.channels)
    late = x.clone()
    late[:, 4:] += 0.5  # the third of three frames
    one, two = (nets.embed(windows.flatten(1), LABELS[:1]) for windows in (x, late))
    assert torch.equal(one[:, :2], two[:, :2])
    assert not torch.equal(one[:, 2], two[:, 2])
    draws = uniform(1, CONFIG.noise_dim)
    later = draws.clone()
    later[:, 6:] = 1 - later[:, 6:]  # the noise of the third step
    made, other = (nets.generator.from_uniform(numbers, LABELS[:1]) for numbers in (draws, later))
    assert torch.equal(made[:, :8], other[:, :8])
    assert (made[:, 8:] != other[:, 8:]).all()


@CELLS
def test_what_is_made_lies_between_0_and_1_and_row_for_row(cell: str) -> None:
    made = some_nets(dataclasses.replace(CONFIG, cell=cell)).generator
    draws = uniform(4, CONFIG.noise_dim)
    whole = made.from_uniform(draws, LABELS)
    assert whole.shape == (4, CONFIG.features)
    assert ((whole > 0) & (whole < 1)).all()
    for row in range(4):
        alone = made.from_uniform(draws[row : row + 1], LABELS[row : row + 1])
        assert torch.allclose(alone[0], whole[row], atol=1e-6)


# ---- steps


def test_an_embedding_step_moves_the_autoencoder_only(nets: Nets, batch: tuple[Tensor, Tensor, Tensor]) -> None:
    before = weights(nets)
    x, label, _ = batch
    found = embedding_step(nets, x, label)
    assert set(found) == {"reconstruction"}
    assert moved(nets, before) == {"embedder", "recovery"}


def test_a_supervisor_step_moves_the_supervisor_only(nets: Nets, batch: tuple[Tensor, Tensor, Tensor]) -> None:
    before = weights(nets)
    x, label, _ = batch
    found = supervisor_step(nets, x, label)
    assert set(found) == {"supervised"}
    assert moved(nets, before) == {"supervisor"}


@CELLS
@pytest.mark.parametrize("classes", [1, 3])
def test_a_generator_step_goes_down_both_objectives(
    cell: str, classes: int, batch: tuple[Tensor, Tensor, Tensor]
) -> None:
    nets = some_nets(dataclasses.replace(CONFIG, cell=cell, classes=classes))
    for part in parts(nets).values():
        part.double()
    slow, before = copy.deepcopy(nets), weights(nets)
    x, label, z = batch[0].double(), batch[1], batch[2].double()
    made = slow.generator
    code, early = slow.embed(x, label), made.generate(z, label)
    fake = made.supervise(early, label)
    supervised = supervised_loss(code, made.supervise(code, label))
    reconstruction = reconstruction_loss(x, made.recover(code, label))
    adversarial = adversarial_loss(slow.discriminator(fake, label), slow.discriminator(early, label))
    moments = moments_loss(x, made.recover(fake, label))
    falls: list[tuple[Tensor, Tensor]] = []
    for objective, names in (
        (embedding_objective(reconstruction, supervised), ("embedder", "recovery")),
        (generator_objective(adversarial, supervised, moments), ("generator", "supervisor")),
    ):
        own = [parameter for name in names for parameter in parts(slow)[name].parameters()]
        falls += zip(own, torch.autograd.grad(objective, own, retain_graph=True), strict=True)
    for parameter, slope in falls:
        parameter.data -= RATE * slope
    found, codes = generator_step(nets, x, label, z)
    for name, part in parts(nets).items():
        for key, value in part.state_dict().items():
            assert torch.allclose(value, parts(slow)[name].state_dict()[key], rtol=1e-6, atol=1e-8), (name, key)
    assert moved(nets, before) == {"embedder", "recovery", "generator", "supervisor"}
    wanted = {
        "reconstruction": reconstruction,
        "supervised": supervised,
        "generator": adversarial,
        "moments": moments,
    }
    assert {name: loss.item() for name, loss in found.items()} == pytest.approx(
        {name: loss.item() for name, loss in wanted.items()}, rel=1e-4
    )
    for got, expected in ((codes.real, code), (codes.fake, fake), (codes.early, early)):
        assert torch.allclose(got, expected, atol=1e-6)
        assert not got.requires_grad
    for part in parts(nets).values():
        assert all(parameter.requires_grad for parameter in part.parameters())
    assert all(parameter.grad is None for parameter in nets.discriminator.parameters())


def some_codes() -> Latents:
    return Latents(*(uniform(4, 3, 5, seed=seed) for seed in range(3)))


def test_a_discriminator_step_goes_down_its_loss(nets: Nets) -> None:
    slow, before, codes = copy.deepcopy(nets.discriminator), weights(nets), some_codes()
    loss = discriminator_loss(*(slow(code, LABELS) for code in (codes.real, codes.fake, codes.early)))
    slopes = torch.autograd.grad(loss, list(slow.parameters()))
    for parameter, slope in zip(slow.parameters(), slopes, strict=True):
        parameter.data -= RATE * slope
    found = discriminator_step(nets, codes, LABELS)
    assert found["discriminator"].item() == pytest.approx(loss.item(), rel=1e-5)
    assert moved(nets, before) == {"discriminator"}
    for name, value in nets.discriminator.state_dict().items():
        assert torch.allclose(value, slow.state_dict()[name], atol=1e-6), name


def test_a_discriminator_that_is_far_ahead_rests(monkeypatch: pytest.MonkeyPatch, nets: Nets) -> None:
    before, codes = weights(nets), some_codes()
    loss = discriminator_step(nets, codes, LABELS)["discriminator"].item()
    assert loss > GATE == 0.15
    for name, part in parts(nets).items():
        part.load_state_dict(before[name])
    monkeypatch.setattr("ecgsynth.models.timegan.GATE", loss + 1e-4)
    assert discriminator_step(nets, codes, LABELS)["discriminator"].item() == pytest.approx(loss)
    assert moved(nets, before) == set()


def test_a_few_windows_are_learnt_by_heart() -> None:
    config = TimeGANConfig(time=4, channels=2, hidden=12, layers=2, cell="lstm")
    nets = some_nets(config)
    own = [*nets.embedder.parameters(), *nets.generator.recovery.parameters()]
    nets = dataclasses.replace(nets, autoencoder_optimizer=torch.optim.Adam(own, lr=2e-2))
    x, label = uniform(4, config.features), torch.zeros(4, dtype=torch.int64)
    found = [embedding_step(nets, x, label)["reconstruction"].item() for _ in range(120)]
    assert found[0] > 0.07  # the variance of a uniform number is 1 / 12
    assert found[-1] < 0.005


def test_the_supervisor_learns_what_follows() -> None:
    nets = some_nets()
    own = [*nets.generator.supervisor.parameters()]
    nets = dataclasses.replace(nets, generator_optimizer=torch.optim.Adam(own, lr=1e-2))
    x = uniform(4, CONFIG.features)
    found = [supervisor_step(nets, x, LABELS)["supervised"].item() for _ in range(100)]
    assert found[-1] < 0.1 * found[0]


# ---- export


class Sampled(nn.Module):
    """What is exported: from uniform numbers to windows."""

    def __init__(self, made: TimeGANGenerator) -> None:
        super().__init__()
        self.made = made

    def forward(self, draws: Tensor, label: Tensor) -> Tensor:
        return self.made.from_uniform(draws, label)


def test_onnx_equals_torch_at_any_batch_size(tmp_path: Path) -> None:
    # Of LSTMs; a file of GRUs and classes is in test_synthesizer_series.
    config = dataclasses.replace(CONFIG, time=4, cell="lstm", classes=1, layers=1)
    net = Sampled(some_nets(config).generator).eval()
    rows = torch.export.Dim("n", min=1)
    path = tmp_path / "made.onnx"
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter warns of its own internals
            torch.onnx.export(
                net,
                (uniform(2, config.noise_dim), torch.zeros(2, dtype=torch.int64)),
                path,
                input_names=["uniform", "label"],
                output_names=["window"],
                dynamic_shapes={"draws": {0: rows}, "label": {0: rows}},
                opset_version=18,
                external_data=False,
                dynamo=True,
                verbose=False,
            )
    finally:
        quiet.setLevel(level)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for n in (1, 7):
        draws, label = uniform(n, config.noise_dim, seed=n), torch.arange(n) % config.classes
        (got,) = session.run(["window"], {"uniform": draws.numpy(), "label": label.numpy()})
        with torch.inference_mode():
            wanted = net(draws, label).numpy()
        assert got.shape == (n, config.features)
        assert np.abs(got - wanted).max() < 1e-5
