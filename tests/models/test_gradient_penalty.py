"""The gradient penalty of the WGAN-GP against known answers and slow references."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ecgsynth.models.wgan import gradient_penalty

pytestmark = pytest.mark.trains


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=rng(seed))


@pytest.mark.parametrize("n", [1, 2, 64])
@pytest.mark.parametrize("shape", [(8,), (8, 1), (4, 2)])
def test_penalty_of_a_linear_critic_is_known(n: int, shape: tuple[int, ...]) -> None:
    # Its gradient is w everywhere, |w| = sqrt(2), whatever the number of samples: one norm a sample, not one a batch.
    w = torch.full(shape, 0.5)
    real, fake = normal(n, *shape), normal(n, *shape, seed=1)
    got = gradient_penalty(lambda x: (x * w).flatten(1).sum(1), real, fake, rng())
    assert got.item() == pytest.approx((2**0.5 - 1) ** 2, rel=1e-5)


def test_penalty_is_zero_for_slope_one() -> None:
    w = nn.functional.normalize(normal(8), dim=0)
    assert gradient_penalty(lambda x: x @ w, normal(5, 8), normal(5, 8, seed=1), rng()).item() < 1e-10


@pytest.mark.parametrize("n", [1, 2, 7])
def test_penalty_of_a_quadratic_equals_autograd_sample_by_sample(n: int) -> None:
    a = normal(6, 6, seed=2)
    real, fake = normal(n, 6), normal(n, 6, seed=1)

    def score(x: Tensor) -> Tensor:
        return ((x @ a) * x).sum(dim=1)

    got = gradient_penalty(score, real, fake, rng(5))
    mix = torch.rand(n, 1, generator=rng(5))  # the same draws: one number a sample
    each = []
    for i in range(n):
        x = (mix[i] * real[i] + (1 - mix[i]) * fake[i]).requires_grad_()
        (gradient,) = torch.autograd.grad(score(x[None])[0], x)
        assert torch.allclose(gradient, (a + a.T) @ x.detach(), atol=1e-5)
        each.append((gradient.norm() - 1) ** 2)
    assert got.item() == pytest.approx(torch.stack(each).mean().item(), rel=1e-5)


def test_penalty_is_taken_on_the_line_between_real_and_fake() -> None:
    seen: list[Tensor] = []

    def score(x: Tensor) -> Tensor:
        seen.append(x.detach().clone())
        return x.square().sum(dim=1)

    real, fake = torch.full((50, 3), 2.0), torch.full((50, 3), 4.0)
    gradient_penalty(score, real, fake, rng())
    (points,) = seen
    assert (points > 2).all()
    assert (points < 4).all()
    assert torch.equal(points, points[:, :1].expand(-1, 3))  # one mixture a sample
    assert points[:, 0].unique().numel() == 50  # and another one for each


def test_penalty_gradient_reaches_the_weights_and_equals_finite_differences() -> None:
    real, fake = normal(4, 6).double(), normal(4, 6, seed=1).double()
    w = normal(6, seed=2).double().requires_grad_()

    def penalty(w: Tensor) -> Tensor:
        return gradient_penalty(lambda x: torch.sin(x @ w), real, fake, rng())

    assert torch.autograd.gradcheck(penalty, (w,))


def test_penalty_works_with_a_recurrent_critic() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        rnn, head = nn.GRU(1, 4, batch_first=True), nn.Linear(4, 1)
    got = gradient_penalty(
        lambda x: head(rnn(x)[0][:, -1]).squeeze(1), normal(3, 10, 1), normal(3, 10, 1, seed=1), rng()
    )
    got.backward()  # through the gradient: the double backward of a GRU
    for weight in (rnn.weight_ih_l0, rnn.weight_hh_l0, head.weight):
        assert weight.grad is not None
        assert weight.grad.abs().sum() > 0


@pytest.mark.gpu
def test_penalty_of_a_recurrent_critic_on_a_gpu_equals_the_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        rnn = nn.GRU(1, 4, batch_first=True)
    x = normal(3, 10, 1)
    found = []
    for device in ("cpu", "cuda"):
        net, there = copy.deepcopy(rnn).to(device), x.to(device)
        draws = torch.Generator(device).manual_seed(0)
        penalty = gradient_penalty(lambda x, net=net: net(x)[0][:, -1].sum(1), there, there, draws)
        penalty.backward()
        assert net.weight_hh_l0.grad is not None
        found.append((penalty.item(), net.weight_hh_l0.grad.cpu()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-5)
