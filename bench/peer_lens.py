"""The same job in PyTorch: logit lens of every state at every position of a prompt, with
entropy, top-1, KL from the output and rank of the output's top-1, in two ways.

Less than lmdepth does: no gold token, no mass by frequency band, no counters.
"""

import dataclasses
import functools

import numpy
import torch


@dataclasses.dataclass
class Rows:
    """(T, L) each, NumPy."""

    entropy: numpy.ndarray
    kl: numpy.ndarray
    top1: numpy.ndarray
    rank: numpy.ndarray


def stack(columns):
    """Columns of (entropy, kl, top1, rank), a state each, to Rows."""
    return Rows(*(torch.stack(part, dim=1).numpy() for part in zip(*columns, strict=True)))


def states_of(model, ids):
    """The states of one prompt, each (T, d); of the last one what the final norm made of it."""
    out = model.model(torch.tensor([ids]), output_hidden_states=True, use_cache=False)
    return [state[0] for state in out.hidden_states]


# ---- as studies of depth do it: a state at a time, the whole vocabulary, plain calls ----


@torch.no_grad()
def plain(model, ids):
    states = states_of(model, ids)
    output = model.lm_head(states[-1])
    log_output = torch.log_softmax(output, dim=-1)
    answer = output.argmax(dim=-1, keepdim=True)
    columns = []
    for number, state in enumerate(states):
        is_last = number == len(states) - 1
        logits = output if is_last else model.lm_head(model.model.norm(state))
        log_p = torch.log_softmax(logits, dim=-1)
        entropy = -(log_p.exp() * log_p).sum(dim=-1)
        kl = (log_output.exp() * (log_output - log_p)).sum(dim=-1)
        rank = (logits > logits.gather(1, answer)).sum(dim=-1) + 1
        columns.append((entropy, kl, logits.argmax(dim=-1), rank))
    return stack(columns)


# ---- by hand: blocks that stay in cache, bf16, everything after the product in one loop ----


def sweep(logits, p_output, output_term, answer):
    """Statistics of logits (S, T, V) against the output's p_output (T, V), whose sum p log p
    is output_term (T); answer (T). Written for the compiler: one pass for the maximum, one
    for the sums, no argmax, which it does not vectorise."""
    z = logits.float()
    top = z.amax(dim=-1)
    shifted = z - top.unsqueeze(-1)
    weight = shifted.exp()
    total = weight.sum(dim=-1)
    entropy = total.log() - (weight * shifted).sum(dim=-1) / total
    kl = output_term + total.log() - (p_output * shifted).sum(dim=-1)
    target = z.gather(-1, answer.expand(z.shape[0], -1).unsqueeze(-1))
    rank = (z > target).sum(dim=-1) + 1
    ids = torch.arange(z.shape[-1], dtype=torch.int32)
    top1 = torch.where(shifted == 0, ids, z.shape[-1]).amin(dim=-1)
    return entropy, kl, top1, rank


def prepare_output(logits):
    """Of the output's logits (T, V): p, sum p log p, argmax."""
    log_p = torch.log_softmax(logits.float(), dim=-1)
    p = log_p.exp()
    return p, (p * log_p).sum(dim=-1), logits.argmax(dim=-1)


class Blocked:
    """For one model, `tokens` positions and `states` states to a product."""

    def __init__(self, model, tokens, states):
        self.model, self.tokens, self.states = model, tokens, states

    @staticmethod
    @functools.cache
    def compiled(function):
        return torch.compile(function, dynamic=True)

    def block(self, normed, t0):
        """Columns of positions t0, ...; normed (L, T, d), all of them through the norm."""
        part = normed[:, t0 : t0 + self.tokens]
        head = self.model.lm_head
        p, term, answer = self.compiled(prepare_output)(head(part[-1]))
        pieces = [
            self.compiled(sweep)(head(part[l0 : l0 + self.states]), p, term, answer)
            for l0 in range(0, len(part), self.states)
        ]
        return [torch.cat(column).T for column in zip(*pieces, strict=True)]

    @torch.no_grad()
    def __call__(self, ids):
        states = states_of(self.model, ids)
        normed = torch.stack([self.model.model.norm(state) for state in states[:-1]])
        normed = torch.cat([normed, states[-1].unsqueeze(0)])
        blocks = [self.block(normed, t0) for t0 in range(0, len(ids), self.tokens)]
        return Rows(*(torch.cat(column).numpy() for column in zip(*blocks, strict=True)))


@torch.no_grad()
def forward(model, ids):
    """The forward pass alone, without the unembedding."""
    model.model(torch.tensor([ids]), use_cache=False)
