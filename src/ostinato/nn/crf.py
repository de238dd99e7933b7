"""The linear-chain conditional random field: what it learns by. Best paths and probabilities are in `runtime.crf`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..chains import Chains
from ..data.tag_schemes import Legal, checked_legal, everything_legal
from ..errors import DataError, TrainingError
from ..shapes import expect
from .sizes import positive


class CRF(nn.Module):
    """A probability for each path of tags y through the steps of a sequence (Lafferty et al. 2001):

        score(y) = first[y_1] + Σ_t emissions_t[y_t] + Σ_t transitions[y_{t-1}, y_t] + last[y_T]
        p(y)     = exp(score(y)) / Z,    Z = Σ over all paths exp(score)

    outputs: O, the number of tags. legal: which tag may follow which (`data.tag_schemes.Legal`), by default any; a path
    with an illegal transition has no part in Z, and no probability.

    ``transitions`` [O, O], from row to column, ``first`` [O] and ``last`` [O] start at zero: the tags of a sequence are
    then independent, unless something is illegal. ``legal`` is kept beside them in the state dict.

    All is computed in float64: log Z is a large number, and small differences of it count.

    It has no second derivative: a backward pass that keeps its graph raises TrainingError.

    Raises OptionError for a size below 1, or where `legal` leaves some sequence without a path.
    """

    transitions: Tensor
    first: Tensor
    last: Tensor
    legal: Tensor

    def __init__(self, outputs: int, legal: Legal | None = None) -> None:
        super().__init__()
        self.outputs = positive("outputs", outputs)
        checked = checked_legal(everything_legal(outputs) if legal is None else legal, outputs)
        self.transitions = nn.Parameter(torch.zeros(outputs, outputs))
        self.first = nn.Parameter(torch.zeros(outputs))
        self.last = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("legal", torch.from_numpy(checked).float())

    def forward(self, emissions: Tensor, tags: Tensor, lengths: Any = None) -> Tensor:
        """Return log p of each sequence's tags [B], float64; 0 for a sequence without steps.

        emissions: [T, B, O]. tags: [T, B], from 0 to O - 1. lengths: [B], by default all T. Nothing beyond a length is
        looked at. Where the tags are illegal it is -inf, so they should be checked before (`find_scheme`).

        Raises ShapeError for shapes that do not fit, DataError for a tag that there is not.
        """
        chains = self._chains(emissions, lengths)
        return _in_batch(self._log_p(emissions, tags, chains), chains, emissions.shape[1])

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Any = None) -> Tensor:
        """Return the mean -log p a step; arguments and errors are those of `forward`.

        A mean a step, and not a sequence, has the size of the cross-entropy of independent labels, however long the
        sequences: one learning rate and one bound for gradients suit both, and every label counts the same. To Adam the
        two are alike but for that bound: on WNUT-17 they learned the same once it was scaled with them.
        """
        chains = self._chains(emissions, lengths)
        return -self._log_p(emissions, tags, chains).sum() / max(chains.rows, 1)

    def log_partition(self, emissions: Tensor, lengths: Any = None) -> Tensor:
        """Return log Z [B], float64; 0 for a sequence without steps, which has one path."""
        chains = self._chains(emissions, lengths)
        log_z = _log_partition(_rows(emissions, chains).double(), *self._weights(), chains)
        return _in_batch(log_z, chains, emissions.shape[1])

    def _chains(self, emissions: Tensor, lengths: Any) -> Chains:
        expect("CRF", "emissions", emissions, "T B O", O=self.outputs)
        return Chains("CRF", emissions.shape[0], emissions.shape[1], lengths)

    def _log_p(self, emissions: Tensor, tags: Tensor, chains: Chains) -> Tensor:
        """Return log p of the tags of each place's sequence."""
        expect("CRF", "tags", tags, "T B", T=emissions.shape[0], B=emissions.shape[1])
        rows, chosen, weights = _rows(emissions, chains).double(), _rows(tags, chains).long(), self._weights()
        wrong = chosen[(chosen < 0) | (chosen >= self.outputs)]
        if len(wrong):
            raise DataError(f"{int(wrong[0])} is no tag; they go from 0 to {self.outputs - 1}.")
        return _scores(rows, chosen, *weights, chains) - _log_partition(rows, *weights, chains)

    def _weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return transitions, first and last, float64, -inf where they are illegal."""
        legal, never = self.legal.bool(), float("-inf")
        return (
            self.transitions.double().masked_fill(~legal[:-1, :-1], never),
            self.first.double().masked_fill(~legal[-1, :-1], never),
            self.last.double().masked_fill(~legal[:-1, -1], never),
        )


def _rows(values: Tensor, chains: Chains) -> Tensor:
    """Return the live steps of [T, B, …] as rows [N, …]."""
    return values.flatten(0, 1).index_select(0, _index(chains.sources, values))


def _in_batch(values: Tensor, chains: Chains, batch: int) -> Tensor:
    """Return values of places as values of sequences [B]; 0 for those without steps."""
    return values.new_zeros(batch).index_copy(0, _index(chains.sequences, values), values)


def _index(places: Any, beside: Tensor) -> Tensor:
    return torch.from_numpy(places).to(beside.device)


def _scores(rows: Tensor, chosen: Tensor, transitions: Tensor, first: Tensor, last: Tensor, chains: Chains) -> Tensor:
    """Return the score of each place's path, from emissions [N, O] and tags [N]."""
    place, before, ends = (_index(part, rows) for part in (chains.place, chains.before, chains.ends))
    begins, later = chosen[: chains.places], chosen[chains.places :]
    each = rows.gather(1, chosen[:, None])[:, 0]
    along = torch.cat([first[begins], transitions[chosen[before], later]]) + each
    return rows.new_zeros(chains.places).index_add(0, place, along) + last[chosen[ends]]


def _log_partition(rows: Tensor, transitions: Tensor, first: Tensor, last: Tensor, chains: Chains) -> Tensor:
    if not chains.rows:
        return rows.sum(1)  # of nothing, but with a gradient
    log_z: Tensor = _LogPartition.apply(rows, transitions, first, last, chains)  # type: ignore[no-untyped-call]
    return log_z


class _LogPartition(torch.autograd.Function):
    """log Z of each place, from emissions [N, O], by the forward algorithm; its gradient by the backward one.

    With α_t[j] the log of the sum over all paths up to step t that end in j, and β_t[i] over all that go on from i,

        α_t[j] = emissions_t[j] + log Σ_i exp(α_{t-1}[i] + transitions[i, j])
        β_t[i] = log Σ_j exp(transitions[i, j] + emissions_{t+1}[j] + β_{t+1}[j])

    the gradient of log Z is how often a path is expected at each tag of each step, exp(α_t[j] + β_t[j] - log Z), and on
    each transition. So nothing but α is kept, where autograd would keep [O, O] numbers a step and sequence.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, transitions: Tensor, first: Tensor, last: Tensor, chains: Chains) -> Tensor:
        alpha = torch.empty_like(rows)
        alpha[: chains.places] = first + rows[: chains.places]
        for before, now, count in chains.moves:
            reached = torch.logsumexp(alpha[before : before + count, :, None] + transitions, dim=1)
            alpha[now : now + count] = reached + rows[now : now + count]
        ends = _index(chains.ends, rows)
        log_z = torch.logsumexp(alpha[ends] + last, dim=-1)
        ctx.save_for_backward(rows, transitions, last, alpha, log_z)
        ctx.chains = chains
        return log_z

    @staticmethod
    def backward(ctx: Any, d_log_z: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            # Torch's once_differentiable would let it pass as a constant, since d_log_z mostly is one.
            raise TrainingError("the probability of a CRF has no second derivative.", "leave out create_graph=True.")
        rows, transitions, last, alpha, log_z = ctx.saved_tensors
        chains: Chains = ctx.chains
        place, ends = _index(chains.place, rows), _index(chains.ends, rows)
        beta, onto = torch.empty_like(rows), transitions.T.contiguous()
        beta[ends] = last
        d_onto = torch.zeros_like(onto)
        for before, now, count in reversed(chains.moves):
            here = slice(before, before + count)
            ahead = onto + (rows[now : now + count] + beta[now : now + count])[:, :, None]
            # What leads nowhere is -inf all along, of which no difference can be taken.
            largest = ahead.amax(1).clamp(min=torch.finfo(rows.dtype).min)
            share = torch.exp(ahead - largest[:, None])
            beta[here] = largest + share.sum(1).log()
            taken = torch.exp(alpha[here] + largest - log_z[:count, None]) * d_log_z[:count, None]
            d_onto += (share * taken[:, None]).sum(0)
        d_rows = torch.exp(alpha + beta - log_z[place, None]) * d_log_z[place, None]
        return d_rows, d_onto.T, d_rows[: chains.places].sum(0), d_rows[ends].sum(0), None
