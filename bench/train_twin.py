#!/usr/bin/env python3
"""Training throughput of eager PyTorch 2 on a model of ours: the peer of `ringlet train`.

    bench/train_twin.py MODEL                        steps of 1 x 2,048 tokens, every policy
    bench/train_twin.py MODEL --batch 4 --dtype fp32
    bench/train_twin.py MODEL --check                the same architecture as tools/reference?
    bench/train_twin.py --dense                      a dense GPT, 4 x 256 tokens, fp32 and BF16

MODEL is a Hugging Face directory as `ringlet new hybrid-100m MODEL` writes it; weights are random
where there is only a config.json. Runs in a Python that has torch 2 and numpy. Prints JSON.

Policies (--dtype): fp32; autocast (fp32 weights, BF16 autocast); bf16 (BF16 weights and activations,
fp32 masters in the optimizer). Which chunk of lightning attention and which form of the experts is
fastest on this machine is found first. The peer's figure is "best": the fastest policy. Where the
processor has no BF16 products PyTorch's own are many times slower than fp32, so those policies are
left out unless --slow is given; beating them there would mean nothing.
"""

import argparse
import contextlib
import ctypes
import json
import os
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F
import twin_model

POLICIES = ("fp32", "autocast", "bf16")
CHUNKS = (32, 64, 128, 256)


def keep_memory():
    """Large tensors stay in the heap: otherwise each one is mapped and zeroed anew by the kernel."""
    libc = ctypes.CDLL(None)
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    if not hasattr(libc, "mallopt"):
        return False
    settings = ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 64 << 20))
    return all(libc.mallopt(option, value) == 1 for option, value in settings)


def seconds(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def fastest(function, repeats=3):
    function()
    return min(seconds(function) for _ in range(repeats))


def product_rates(dtype):
    """GF/s of a linear layer of 768 to 2,304 on 512 rows: forward, gradients of input and weight."""
    x, w, y = (torch.randn(s, dtype=dtype) for s in ((512, 768), (2304, 768), (512, 2304)))
    work = 2e-9 * 512 * 768 * 2304
    products = (lambda: F.linear(x, w), lambda: y @ w, lambda: y.t() @ x)
    return [round(work / fastest(product), 1) for product in products]


class Optimizer:
    """Fused AdamW; BF16 parameters have fp32 masters."""

    def __init__(self, model):
        self.params = list(model.parameters())
        self.has_masters = self.params[0].dtype != torch.float32
        masters = [p.detach().float() for p in self.params] if self.has_masters else self.params
        self.masters = masters
        self.adamw = torch.optim.AdamW(masters, lr=1e-4, weight_decay=0.1, fused=True)

    def step(self):
        if self.has_masters:
            for master, param in zip(self.masters, self.params):
                if master.grad is None:
                    master.grad = torch.empty_like(master)
            grads = [master.grad for master in self.masters]
            torch._foreach_copy_(grads, [param.grad for param in self.params])
        self.adamw.step()
        if self.has_masters:
            with torch.no_grad():
                torch._foreach_copy_(self.params, self.masters)
        for param in self.params:
            param.grad = None


def casting(policy):
    if policy == "autocast":
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return contextlib.nullcontext()


def apply_policy(model, policy):
    if policy == "bf16":
        for param in model.parameters():
            param.data = param.data.bfloat16()


def set_form(model, chunk=None, experts=None):
    for module in model.modules():
        if chunk and isinstance(module, twin_model.LightningAttention):
            module.chunk = chunk
        if experts and isinstance(module, twin_model.Experts):
            module.form = experts


def tune(model, policy, batch, tokens):
    """The fastest chunk and form of the experts, by forward and backward of one layer each."""
    hidden = model.config.hidden
    dtype = torch.bfloat16 if policy == "bf16" else torch.float32
    x = torch.randn(batch * tokens, hidden, dtype=dtype, requires_grad=True)
    best = {}

    def search(name, values, module, *arguments):
        def run():
            with casting(policy):
                out = module(x, *arguments)
            out.sum().backward()

        times = {}
        for value in values:
            set_form(model, **{name: value})
            times[value] = fastest(run, 2)
        best[name] = min(times, key=times.get)
        set_form(model, **{name: best[name]})

    for module in model.modules():
        if isinstance(module, twin_model.LightningAttention) and "chunk" not in best:
            search("chunk", CHUNKS, module, batch, model.table(tokens))
        if isinstance(module, twin_model.Experts) and "experts" not in best:
            search("experts", twin_model.EXPERT_FORMS, module)
    model.zero_grad(set_to_none=True)
    return best


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def measure(model, policy, arguments, batch, tokens):
    """Times whole steps on one batch of random ids; the medians and ranges of each phase."""
    ids = torch.randint(0, model.vocabulary, (batch, tokens + 1))
    inputs, labels = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    apply_policy(model, policy)
    form = {}
    tunable = isinstance(model, twin_model.Hybrid) and not (arguments.slow and policy != "fp32")
    if tunable:
        form = tune(model, policy, batch, tokens)
    optimizer = Optimizer(model)
    marks, losses = [], []
    for _ in range(arguments.warmup + arguments.steps):
        cpu = time.process_time()
        times = [time.perf_counter()]
        with casting(policy):
            loss = model(inputs, labels)
        times.append(time.perf_counter())
        loss.backward()
        times.append(time.perf_counter())
        optimizer.step()
        times += [time.perf_counter(), time.process_time() - cpu]
        marks.append(times)
        losses.append(loss.item())
    marks = marks[arguments.warmup :]
    step = summary([t[3] - t[0] for t in marks])
    gradient = summary([t[2] - t[0] for t in marks])
    count = batch * tokens
    return {
        "dtype": policy,
        **form,
        "tokens_per_s": count / step["median"],
        "tokens_per_s_without_optimizer": count / gradient["median"],
        "step_s": step,
        "step_cpu_s": summary([t[4] for t in marks]),
        "forward_s": summary([t[1] - t[0] for t in marks]),
        "backward_s": summary([t[2] - t[1] for t in marks]),
        "optimizer_s": summary([t[3] - t[2] for t in marks]),
        "steps": len(marks),
        "loss": [losses[0], losses[-1]],
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def policies(arguments, rates):
    """Those asked for, less the ones whose products alone would take four times fp32's."""
    chosen = POLICIES if arguments.dtype == "all" else (arguments.dtype,)
    slowdown = sum(1 / r for r in rates["bf16"]) / sum(1 / r for r in rates["fp32"])
    if arguments.slow or arguments.dtype != "all" or slowdown < 4:
        return chosen
    print(f"BF16 products take {slowdown:.0f} times fp32's here: only fp32 is timed", file=sys.stderr)
    return ("fp32",)


def benchmark(arguments):
    rates = {"fp32": product_rates(torch.float32), "bf16": product_rates(torch.bfloat16)}
    batch, tokens = (4, 256) if arguments.dense else (arguments.batch, arguments.tokens)
    runs = []
    for policy in policies(arguments, rates):
        torch.manual_seed(1)
        model = twin_model.DenseGpt() if arguments.dense else twin_model.Hybrid(arguments.model)
        runs.append(measure(model, policy, arguments, batch, tokens))
    best = max(runs, key=lambda run: run["tokens_per_s"])
    return {
        "model": "dense" if arguments.dense else os.path.basename(arguments.model.rstrip("/")),
        "parameters": sum(p.numel() for p in model.parameters()),
        "batch": batch,
        "tokens": tokens,
        "tokens_per_s": best["tokens_per_s"],
        "best": best["dtype"],
        "runs": runs,
        "product_gflops": rates,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "load_average": os.getloadavg(),
    }


def gradients(model, inputs, labels):
    model.zero_grad(set_to_none=True)
    model(inputs, labels).backward()
    return [p.grad.clone() for p in model.parameters()]


def check(arguments):
    """Log-probs against tools/reference, gradients of every form against the first one's."""
    torch.manual_seed(2)
    model = twin_model.Hybrid(arguments.model)
    ids = torch.randint(0, model.vocabulary, (1, arguments.check_tokens + 1))
    inputs, labels = ids[:, :-1], ids[:, 1:]
    with torch.no_grad():
        rows = model.logits(inputs).log_softmax(-1)
    found = rows.gather(1, labels.view(-1, 1)).flatten().double()
    expected = twin_model.reference.logprobs(arguments.model, ids[0].tolist())[0][1:]
    difference = (found - torch.tensor(expected, dtype=torch.float64)).abs()
    first, worst = gradients(model, inputs, labels), 0.0
    forms = [{"chunk": c} for c in CHUNKS] + [{"experts": e} for e in twin_model.EXPERT_FORMS]
    for form in forms:
        set_form(model, **form)
        for a, b in zip(first, gradients(model, inputs, labels)):
            worst = max(worst, ((a - b).norm() / a.norm().clamp(min=1e-12)).item())
    result = {
        "tokens": len(expected),
        "logprob_mean_abs_diff": difference.mean().item(),
        "logprob_max_abs_diff": difference.max().item(),
        "gradient_max_relative_diff_of_forms": worst,
    }
    print(json.dumps(result))
    return result["logprob_mean_abs_diff"] < 1e-4 and worst < 1e-3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", help="a Hugging Face directory")
    parser.add_argument("--check", action="store_true", help="compare with tools/reference")
    parser.add_argument("--check-tokens", type=int, default=300)
    parser.add_argument("--dense", action="store_true", help="the dense GPT; needs no MODEL")
    parser.add_argument("--dtype", choices=("all", *POLICIES), default="all")
    parser.add_argument("--slow", action="store_true", help="BF16 even without BF16 products, untuned")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=5)
    # The heap reaches its size after three steps; until then the kernel clears pages.
    parser.add_argument("--warmup", type=int, default=4)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    if arguments.dense == bool(arguments.model):
        parser.error("either MODEL or --dense")
    keep_memory()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    if arguments.check:
        sys.exit(0 if check(arguments) else 1)
    print(json.dumps(benchmark(arguments), indent=1))


if __name__ == "__main__":
    main()
