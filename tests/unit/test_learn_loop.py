"""The loop learns, repeats itself, and continues a killed run as if it had not been killed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from volumetric.errors import InputError
from volumetric.learn.device import choose_device
from volumetric.learn.loop import TrainSettings, Validation, train
from volumetric.learn.saving import Saving
from volumetric.learn.unet import UNet, fold_batch_norm, fold_cells, use_quick_relu

SETTINGS = TrainSettings(steps=60, learning_rate=0.05, warmup_steps=5, save_every=20, weight_decay=0.0)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.02), nn.Linear(4, 1))


def batch(step: int) -> torch.Tensor:
    return torch.randn(16, 3, generator=torch.Generator().manual_seed(step))


def loss(module: nn.Module, data: torch.Tensor) -> torch.Tensor:
    return (module(data)[:, 0] - data.sum(dim=1)).square().mean()


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().ravel().float() for p in module.state_dict().values()])


def test_learns_and_repeats():
    first, seen = network(), []
    train(first, batch, loss, SETTINGS, report=lambda step, value: seen.append((step, value)))
    second = network()
    train(second, batch, loss, SETTINGS)
    torch.testing.assert_close(weights(first), weights(second), rtol=0, atol=0)
    assert [step for step, _ in seen] == list(range(60))
    assert seen[-1][1] < 0.2 * seen[0][1]


def test_a_killed_run_continues_where_it_was_saved(tmp_path):
    whole, state = network(), tmp_path / "state"
    train(whole, batch, loss, SETTINGS)

    def killed(step: int) -> torch.Tensor:
        if step == 37:
            raise KeyboardInterrupt
        return batch(step)

    with pytest.raises(KeyboardInterrupt):
        train(network(), killed, loss, SETTINGS, state=state)
    resumed, steps = network(), []
    train(resumed, batch, loss, SETTINGS, state=state, report=lambda step, _: steps.append(step))
    assert steps == list(range(20, 60))
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=0)
    again: list[int] = []
    train(resumed, batch, loss, SETTINGS, state=state, report=lambda step, _: again.append(step))
    assert again == []


def judged(figures: dict[int, float], seen: list[torch.Tensor], patience: int = 2, report=None) -> Validation:
    """A validation that draws numbers itself, says what is asked for, and keeps the weights that it saw."""

    def figure(module: nn.Module) -> float:
        torch.rand(7)
        seen.append(weights(module))
        return figures.get(10 * len(seen), 0.0)

    return Validation(figure, every=10, patience=patience, report=report)


def test_slow_steps_are_saved_by_the_clock(monkeypatch):
    now = iter([10.0, 29.0, 31.0, 32.0, 60.0, 62.0, 70.0, 70.0, 80.0, 80.0])
    monkeypatch.setattr("volumetric.learn.saving.time.monotonic", lambda: next(now))
    saving = Saving(100, 0.0)
    assert [saving.is_due(step, finished=False) for step in range(1, 6)] == [False, False, True, False, True]
    assert saving.is_due(100, finished=False)
    assert saving.is_due(101, finished=True)


def test_the_best_weights_remain_and_learning_ends_when_it_gets_no_better():
    net, seen, steps, told = network(), [], [], []
    figures = {10: 0.3, 20: 0.5, 30: 0.5, 40: 0.4, 50: 0.9}
    validation = judged(figures, seen, report=told.append)
    checks = train(net, batch, loss, SETTINGS, validation=validation, report=lambda s, _: steps.append(s))
    assert told == checks
    assert [(check.step, check.figure) for check in checks] == [(10, 0.3), (20, 0.5), (30, 0.5), (40, 0.4)]
    assert steps == list(range(40))
    torch.testing.assert_close(weights(net), seen[1], rtol=0, atol=0)
    assert not torch.equal(seen[1], seen[3])


def test_being_judged_changes_nothing_in_what_is_learned():
    judging, seen = network(), []
    rising = {step: float(step) for step in range(10, 70, 10)}
    train(judging, batch, loss, SETTINGS, validation=judged(rising, seen))
    alone = network()
    assert train(alone, batch, loss, SETTINGS) == []
    assert len(seen) == 6
    torch.testing.assert_close(weights(judging), weights(alone), rtol=0, atol=0)


@pytest.mark.parametrize("killed_at", [15, 30, 43])
def test_a_killed_run_that_is_judged_ends_as_an_uninterrupted_one(tmp_path, killed_at):
    def figure(module: nn.Module) -> float:
        return -abs(float(module[0].weight.norm()) - 1.5)

    validation, state, whole = Validation(figure, every=4, patience=6), tmp_path / "state", network()
    checks = train(whole, batch, loss, SETTINGS, validation=validation)
    assert max(checks, key=lambda check: check.figure).step == 20
    assert checks[-1].step == 44

    def killed(step: int) -> torch.Tensor:
        if step == killed_at:
            raise KeyboardInterrupt
        return batch(step)

    with pytest.raises(KeyboardInterrupt):
        train(network(), killed, loss, SETTINGS, validation=validation, state=state)
    for _ in range(2):  # the second time there is nothing left to do
        resumed = network()
        assert train(resumed, batch, loss, SETTINGS, validation=validation, state=state) == checks
        torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=0)


def test_a_training_may_end_early_on_the_same_rates():
    longer, seen = network(), []
    train(longer, batch, loss, SETTINGS, validation=judged({20: 1.0}, seen, patience=9))
    ended = network()
    train(ended, batch, loss, TrainSettings(**{**vars(SETTINGS), "until": 20}))
    torch.testing.assert_close(weights(ended), weights(longer), rtol=0, atol=0)
    with pytest.raises(InputError, match="one of its 60 steps"):
        TrainSettings(**{**vars(SETTINGS), "until": 61})
    with pytest.raises(InputError, match="patience"):
        Validation(lambda _: 0.0, every=5, patience=0)


def test_a_state_of_another_network_is_refused(tmp_path):
    train(network(), batch, loss, SETTINGS, state=tmp_path / "state")
    with pytest.raises(InputError, match="another training"):
        train(nn.Linear(3, 1), batch, loss, SETTINGS, state=tmp_path / "state")


def test_divergence_is_an_error():
    with pytest.raises(InputError, match="loss"):
        train(network(), lambda _: torch.full((16, 3), torch.nan), loss, SETTINGS)
    with pytest.raises(InputError):
        TrainSettings(steps=0)


def test_learning_rate_warms_up_and_ends_near_zero():
    rates = [SETTINGS.rate(step) for step in range(60)]
    assert rates[0] < rates[4] <= 0.05
    assert rates[-1] < 0.01 * 0.05
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_device_names(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device().type == choose_device("cpu").type == "cpu"
    with pytest.raises(InputError, match="sees no GPU"):
        choose_device("cuda")
    with pytest.raises(InputError, match="unknown device"):
        choose_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device().type == choose_device("cuda").type == "cuda"


@pytest.mark.parametrize(("channels", "stride"), [((4,), 1), ((4, 6), 2), ((4, 6, 8), 4)])
def test_unet_shapes_and_folding(channels, stride):
    torch.manual_seed(0)
    net = UNet(channels, stride)
    net(torch.randn(8, 1, 64, 64))
    net.eval()
    image = torch.randn(1, 1, 2 * net.multiple_px, 4 * net.multiple_px)
    with torch.inference_mode():
        before = net(image)
        fold_batch_norm(net)
        torch.testing.assert_close(net(image), before, rtol=1e-4, atol=1e-4)
    assert before.shape == (1, channels[0], image.shape[2] // stride, image.shape[3] // stride)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in net.modules())


@pytest.mark.parametrize(("channels", "stride"), [((4,), 1), ((4, 6), 2), ((4, 6, 8), 4)])
def test_cells_gathered_by_the_convolution_are_the_same_cells(channels, stride):
    torch.manual_seed(0)
    net = UNet(channels, stride, inputs=3).eval()
    fold_batch_norm(net)
    image = torch.randn(2, 3, 2 * net.multiple_px, 4 * net.multiple_px)
    with torch.inference_mode():
        before = net(image)
        fold_cells(net)
        torch.testing.assert_close(net(image), before, rtol=1e-4, atol=1e-5)
    assert stride == 1 or not any(isinstance(m, nn.PixelUnshuffle) for m in net.modules())


def test_the_quick_relu_is_a_relu():
    net = nn.Sequential(nn.Identity(), nn.Sequential(nn.ReLU(inplace=True)))
    use_quick_relu(net)
    values = torch.tensor([-torch.inf, -3.0, -1e-38, -0.0, 0.0, 1e-38, 0.5, 7e30, 1.0, torch.inf]).bfloat16()
    images = values.expand(2, 3, 4, 10).contiguous(memory_format=torch.channels_last)
    assert torch.equal(net(images.clone()), images.relu())
    assert not any(isinstance(m, nn.ReLU) for m in net.modules())


def test_unet_refuses_nonsense():
    with pytest.raises(InputError):
        UNet((), 2)
    with pytest.raises(InputError):
        UNet((4,), 0)
