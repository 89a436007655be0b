"""Images that a generator made before, shown to the critic again (Shrivastava et al. 2017; Zhu et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch


@dataclass
class History:
    """At most `size` images; kept in half precision."""

    size: int
    images: list[torch.Tensor] = field(default_factory=list)

    def mixed(self, fresh: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """New images (n, ...), about half of them exchanged for old ones once the history is full.

        Args:
            fresh: images; what is exchanged is kept in place of what it is exchanged for.
            rng: the only source of chance.
        """
        out = []
        for image in fresh.detach():
            if len(self.images) < self.size:
                self.images.append(image.half().cpu())
                out.append(image)
            elif self.size and rng.random() < 0.5:
                k = int(rng.integers(self.size))
                out.append(self.images[k].to(image))
                self.images[k] = image.half().cpu()
            else:
                out.append(image)
        return torch.stack(out)
