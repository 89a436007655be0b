"""Losses, history and the loop of generator against critic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from volumetric.errors import InputError
from volumetric.synthesis.adversarial import Condition, Contest, GanSettings, GanStep, Material
from volumetric.synthesis.critic import Critic
from volumetric.synthesis.discs import Discs
from volumetric.synthesis.generator import Generator
from volumetric.synthesis.history import History
from volumetric.synthesis.sample import condition_of, draw
from volumetric.synthesis.wgan import critic_loss, gradient_penalty

PX = 16


class Slope(nn.Module):
    """A critic whose gradient is known everywhere: the sum of an image, times a number."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.slope * image.sum(dim=(1, 2, 3))


@pytest.mark.parametrize("norm", [0.5, 1.0, 3.0])
def test_the_penalty_is_the_squared_distance_of_the_gradient_from_one(norm):
    critic = Slope(norm / PX)  # of PX x PX pixels the gradient's norm is PX times the slope
    real, fake = torch.rand(4, 1, PX, PX), torch.rand(4, 1, PX, PX)
    penalty = gradient_penalty(critic, real, fake, torch.rand(4))
    assert penalty.item() == pytest.approx((norm - 1) ** 2, abs=1e-5)
    penalty.backward()
    assert critic.slope.grad is not None
    assert critic.slope.grad.item() == pytest.approx(2 * (norm - 1) * PX, rel=1e-4, abs=1e-3)


def test_the_critic_makes_smaller_what_equation_12_makes_larger():
    critic = Slope(2 / PX)
    real, fake = torch.full((2, 1, PX, PX), 0.75), torch.full((2, 1, PX, PX), 0.25)
    loss = critic_loss(critic, real, fake, torch.tensor([0.0, 1.0]), 10.0)
    assert loss.distance.item() == pytest.approx(2 / PX * 0.5 * PX**2)
    assert loss.total.item() == pytest.approx(10 * 1.0 - loss.distance.item(), rel=1e-5)


def test_a_penalty_is_of_one_image_whatever_else_is_in_its_batch():
    critic = Critic((8, 16), whole=True)
    real, fake, mix = torch.rand(3, 1, PX, PX), torch.rand(3, 1, PX, PX), torch.rand(3)
    together = gradient_penalty(critic, real, fake, mix)
    alone = [gradient_penalty(critic, real[i : i + 1], fake[i : i + 1], mix[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(together, torch.stack(alone).mean())


def test_a_history_fills_and_then_gives_back_about_half():
    history, rng = History(20), np.random.default_rng(0)
    first = torch.arange(20.0)[:, None]
    assert torch.equal(history.mixed(first, rng), first)
    fresh = torch.arange(100.0, 500.0)[:, None]
    mixed = history.mixed(fresh, rng)
    assert 0.4 < (mixed != fresh).float().mean().item() < 0.6
    assert len(history.images) == 20
    assert torch.equal(History(0).mixed(fresh, rng), fresh)


def contest(steps: int, **more: float) -> Contest:
    torch.manual_seed(0)
    settings = GanSettings(steps=steps, history=6, save_every=2, average=0.9, **more)
    return Contest(Generator((8, 16), 4), Critic((8, 16), whole=True), settings)


def material(generator: Generator, level: float = 0.8) -> Material:
    """Real planes of one grey value, with a little noise."""

    def real(step: int, turn: int) -> torch.Tensor:
        rng = np.random.default_rng([step, turn])
        return torch.from_numpy(level + 0.02 * rng.standard_normal((3, 1, PX, PX))).float()

    def condition(step: int, turn: int) -> Condition:
        rng = np.random.default_rng([9, step, turn])
        return condition_of([draw(Discs(), (PX, PX), "lit", rng) for _ in range(3)], generator, rng)

    return Material(real, condition, "lit")


def test_a_generator_learns_the_brightness_of_what_is_real():
    made = contest(60, generator_rate=4e-3, critic_rate=4e-3)
    source = material(made.generator)

    def level(generator: Generator) -> float:
        condition = source.condition(0, 0)
        with torch.no_grad():
            return generator(condition.mask, condition.cells, condition.chance).mean().item()

    before = abs(level(made.generator) - 0.8)
    made.train(source)
    assert abs(level(made.generator) - 0.8) < 0.5 * before
    assert level(made.averaged) != level(made.generator)


def test_a_killed_training_goes_on_as_if_it_had_not_been(tmp_path: Path):
    torch.set_num_threads(1)
    whole = contest(7)
    figures: dict[int, GanStep] = {}
    whole.train(material(whole.generator), report=figures.__setitem__)

    class KilledError(RuntimeError):
        pass

    def kill(step: int, _: GanStep) -> None:
        if step == 4:
            raise KilledError

    halted, state = contest(7), tmp_path / "state.pt"
    with pytest.raises(KilledError):
        halted.train(material(halted.generator), state, kill)
    again: dict[int, GanStep] = {}
    resumed = contest(7)
    resumed.train(material(resumed.generator), state, again.__setitem__)
    assert sorted(again) == [4, 5, 6]
    assert {step: figures[step] for step in again} == again
    for one, other in zip(whole.averaged.parameters(), resumed.averaged.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_training_that_diverges_says_so_and_keeps_its_last_state(tmp_path: Path):
    broken = contest(400, critic_rate=3.0)
    with pytest.raises(InputError, match="diverged at step"):
        broken.train(material(broken.generator), tmp_path / "state.pt")


def test_a_state_of_other_networks_is_refused(tmp_path: Path):
    one = contest(2)
    one.train(material(one.generator), tmp_path / "state.pt")
    torch.manual_seed(0)
    other = Contest(Generator((8,), 4), Critic((8, 16), whole=True), GanSettings(steps=2))
    with pytest.raises(InputError, match="state of another training"):
        other.train(material(other.generator), tmp_path / "state.pt")


def test_a_plane_does_not_depend_on_its_batch():
    generator = Generator((8, 16), 4).eval()
    condition = material(generator).condition(0, 0)
    with torch.no_grad():
        together = generator(condition.mask, condition.cells, condition.chance)
        chance = type(condition.chance)(condition.chance.style[1:2], tuple(n[1:2] for n in condition.chance.noise))
        alone = generator(condition.mask[1:2], condition.cells[1:2], chance)
    torch.testing.assert_close(together[1:2], alone)


def test_chance_changes_a_background_only_where_there_is_a_style():
    rng = np.random.default_rng(0)
    mask = torch.zeros(1, 1, PX, PX)
    for style, same in ((0, True), (4, False)):
        torch.manual_seed(1)
        generator = Generator((8, 16), style)
        with torch.no_grad():
            first, second = (generator(mask, mask, generator.chance(rng, 1, (PX, PX))) for _ in range(2))
        assert torch.equal(first, second) is same
        assert 0 <= first.min() <= first.max() <= 1


def test_what_cannot_be_built_is_refused():
    with pytest.raises(InputError, match="multiples of 8"):
        Generator((12,), 4)
    with pytest.raises(InputError, match="makes multiples of 2"):
        Generator((8, 16), 4).chance(np.random.default_rng(0), 1, (15, 16))
    with pytest.raises(InputError, match="positive channels"):
        Critic((), whole=False)
