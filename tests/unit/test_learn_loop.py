"""The loop learns, repeats itself, and continues a killed run as if it had not been killed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from volumetric.errors import InputError
from volumetric.learn.device import choose_device
from volumetric.learn.loop import TrainSettings, train
from volumetric.learn.unet import UNet, fold_batch_norm

SETTINGS = TrainSettings(steps=60, learning_rate=0.05, warmup_steps=5, save_every=20, weight_decay=0.0)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))


def batch(step: int) -> torch.Tensor:
    return torch.randn(16, 3, generator=torch.Generator().manual_seed(step))


def loss(module: nn.Module, data: torch.Tensor) -> torch.Tensor:
    return (module(data)[:, 0] - data.sum(dim=1)).square().mean()


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().ravel().float() for p in module.state_dict().values()])


def test_learns_and_repeats():
    first, second, seen = network(), network(), []
    train(first, batch, loss, SETTINGS, report=lambda step, value: seen.append((step, value)))
    train(second, batch, loss, SETTINGS)
    torch.testing.assert_close(weights(first), weights(second), rtol=0, atol=0)
    assert [step for step, _ in seen] == list(range(60))
    assert seen[-1][1] < 0.2 * seen[0][1]


def test_a_killed_run_continues_where_it_was_saved(tmp_path):
    whole, cut, state = network(), network(), tmp_path / "state"
    train(whole, batch, loss, SETTINGS)

    def killed(step: int) -> torch.Tensor:
        if step == 37:
            raise KeyboardInterrupt
        return batch(step)

    with pytest.raises(KeyboardInterrupt):
        train(cut, killed, loss, SETTINGS, state=state)
    resumed, steps = network(), []
    train(resumed, batch, loss, SETTINGS, state=state, report=lambda step, _: steps.append(step))
    assert steps == list(range(20, 60))
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=0)
    again: list[int] = []
    train(resumed, batch, loss, SETTINGS, state=state, report=lambda step, _: again.append(step))
    assert again == []


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


def test_unet_refuses_nonsense():
    with pytest.raises(InputError):
        UNet((), 2)
    with pytest.raises(InputError):
        UNet((4,), 0)
