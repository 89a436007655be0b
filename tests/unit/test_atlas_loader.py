from __future__ import annotations

from pathlib import Path

import brainglobe_atlasapi
import numpy as np
import pytest

from volumetric.atlas.folder import write_atlas_folder
from volumetric.atlas.loader import load_atlas, local_atlases, published_atlases
from volumetric.errors import InputError


def test_the_real_atlas_opens_quietly_and_offline(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VOLUMETRIC_ATLAS_DIR", str(data_dir / "atlas"))
    monkeypatch.setattr(brainglobe_atlasapi, "BrainGlobeAtlas", None)
    before = sorted((data_dir / "atlas").rglob("*"))
    atlas = load_atlas("allen_mouse_200um")
    assert sorted((data_dir / "atlas").rglob("*")) == before
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""
    assert atlas.shape == (66, 40, 57)
    assert atlas.space.spacing_um == (200.0, 200.0, 200.0)
    assert atlas.orientation == "asr"
    assert atlas.annotation.dtype == np.uint32
    assert len(atlas.ontology.regions) == 839
    assert atlas.ontology[997].parent_id is None
    assert sorted(np.unique(atlas.hemispheres[:, :, [0, -1]])) == [1, 2]
    assert atlas.hemispheres[0, 0, 0] == 2

    path = write_atlas_folder(atlas, tmp_path / "copy")
    again = load_atlas(str(path))
    assert np.array_equal(again.annotation, atlas.annotation)
    assert np.array_equal(again.hemispheres, atlas.hemispheres)
    assert again.ontology == atlas.ontology


def test_local_atlases(data_dir: Path, tmp_path: Path) -> None:
    assert "allen_mouse_100um" in local_atlases(data_dir / "atlas")
    assert local_atlases(tmp_path) == []


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (FileNotFoundError("x"), "nor on BrainGlobe's server: did you mean allen_mouse_50um"),
        (ConnectionError("no route"), r"did not answer: did you mean allen_mouse_50um"),
        (ValueError("x"), "did not answer"),
    ],
)
def test_a_misspelt_atlas_with_and_without_a_network(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, said: str
) -> None:
    break_network(monkeypatch, failure)
    for folder, held in ((data_dir / "atlas", "allen_mouse_100um"), (tmp_path, "none")):
        with pytest.raises(InputError, match=said) as caught:
            load_atlas("alen_mouse_50um", folder)
        assert "there is no atlas 'alen_mouse_50um'" in str(caught.value)
        assert held in str(caught.value).split("Atlases in")[1]


def test_a_known_atlas_that_cannot_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_network(monkeypatch, ConnectionError("no route"))
    assert "allen_mouse_25um" in published_atlases()
    with pytest.raises(InputError, match=r"could not be downloaded: no route. The name is right: check the network"):
        load_atlas("allen_mouse_25um", tmp_path)


def test_a_name_like_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_network(monkeypatch, FileNotFoundError("x"))
    with pytest.raises(InputError, match=r"no atlas 'zzz'.*server: `brainglobe list`"):
        load_atlas("zzz", tmp_path)


def break_network(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise failure

    monkeypatch.setattr(brainglobe_atlasapi, "BrainGlobeAtlas", fail)


def test_a_path_that_is_not_there_is_no_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no atlas folder"):
        load_atlas(tmp_path / "nothing")
