# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% tags=["parameters"]
from pathlib import Path

from frl.scenario.loading import load_scenario

scenario = load_scenario("config/theory.yaml")
base = Path("results/theory")

# %%
from frl.report.show import commands, figure, tuned
from frl.theory import show

show.masthead(scenario, base)

# %%
show.answer(scenario, base)

# %% [markdown]
# The servers and the simulated clock that train on MuJoCo here drive problems whose optimum and gradient are known
# exactly. So the mean gap J* − J(θ) is known after every gradient, and exponents can be measured. ε is a gap as a
# multiple of the first one. K_ε is the number of gradients, of all N agents together, after which the mean gap over the
# seeds is at most ε. Intervals are 95 %, from resampling the seeds.

# %% [markdown]
# ## What was measured

# %% tags=["figure-theory-rates"]
show.title(base, "rates")

# %% tags=["figure-theory-rates"]
figure(
    scenario,
    base,
    "theory-rates",
    "(i) Rates. Above: the mean gap on the theorem's schedule, one line for each N. Below: the last gap with N agents "
    "over that with one, with its interval.",
)

# %% tags=["figure-theory-speedup"]
show.title(base, "speedup")

# %% tags=["figure-theory-speedup"]
figure(
    scenario,
    base,
    "theory-speedup",
    "(ii) Speed-up. Gradients of all agents that N agents need to ε, over those that one needs: 1 is linear speed-up. "
    "White triangles: not reached, the truth is larger. Last panel: the N at which the ratio passes 1.25, against ε.",
)

# %% tags=["figure-theory-time"]
show.title(base, "time")

# %% tags=["figure-theory-time"]
figure(
    scenario,
    base,
    "theory-time",
    "(iii) Time, against how much slower the slowest agent is. Left: simulated time over its closed form. Middle: time "
    "that FedPG needs over what AFedPG needs. Right: gradients that AFedPG needs with one slow agent, over those with "
    "none.",
)

# %% tags=["figure-theory-lookahead"]
show.title(base, "lookahead")

# %% tags=["figure-theory-lookahead"]
figure(
    scenario,
    base,
    "theory-lookahead",
    "(iv) Lookahead. Above: the gap averaged over the run, without the lookahead (Vanilla) over with it (AFedPG), at "
    "equal settings; bold where the interval excludes 0.95 to 1.05. Below: gradients to ε with each at its best.",
)

# %% tags=["figure-theory-sampled"]
show.title(base, "sampled")

# %% tags=["figure-theory-sampled"]
figure(
    scenario,
    base,
    "theory-sampled",
    "(v) As (ii), with policy gradients from sampled trajectories instead of the exact gradient plus noise.",
)

# %% tags=["figure-theory-adversaries"]
show.title(base, "adversaries")

# %% tags=["figure-theory-adversaries"]
figure(
    scenario,
    base,
    "theory-adversaries",
    "Attacks and defences. Gradients until the mean gap over the seeds is the smallest ε, over those of the same mode "
    "without attack or defence. After > stands a lower bound: the mean gap stayed above ε to the end of the budget, "
    "even if single seeds got there. Rows: defences; columns: attacks.",
)

# %% tags=["figure-theory-rennala"]
show.title(base, "rennala")

# %% tags=["figure-theory-rennala"]
figure(
    scenario,
    base,
    "theory-rennala",
    "AFedPG's time to ε over Rennala NIGT's, each at its best setting. Above 1 Rennala NIGT is faster. Hollow with an "
    "arrow: AFedPG's mean gap did not get to ε, so the ratio is larger.",
)

# %% tags=["figure-theory-compression"]
show.title(base, "compression")

# %% tags=["figure-theory-compression"]
figure(
    scenario,
    base,
    "theory-compression",
    "What each method needs to ε: gradients, and bytes up and down, with their intervals. Left and low is better. "
    "Hollow with arrows: ε was not reached, so both are larger.",
)

# %% tags=["figure-theory-bandwidth"]
show.title(base, "bandwidth")

# %% tags=["figure-theory-bandwidth"]
figure(
    scenario,
    base,
    "theory-bandwidth",
    "Time to ε against the bandwidth of every agent's link, the same up and down. Points were simulated. The lines "
    "between them are computed, as a time to compute and bytes over the bandwidth, so that where they cross was not "
    "measured.",
)

# %% tags=["figure-theory-natural"]
show.title(base, "natural")

# %% tags=["figure-theory-natural"]
figure(
    scenario,
    base,
    "theory-natural",
    "Gradients that agents need to ε with natural directions, over those without; dashed: half. Hollow with an arrow: "
    "ε was not reached with them, so the ratio is larger. No ratio: not every resample of the seeds gets to ε without "
    "them.",
)

# %% [markdown]
# ## Claims

# %%
show.claims(scenario, base)

# %% [markdown]
# ## How it was tuned

# %%
tuned(scenario)

# %%
show.trials(scenario)

# %% [markdown]
# ## Limits
#
# - These are small problems with a handful of parameters, and noise of constant size unless trajectories are sampled:
#   no network and no critic.
# - Intervals are not corrected for the number of parts.
# - A mean gap that falls and then rises counts as having reached a large ε on its way down. The last gap shows it.
# - A knee is known only as well as the cells' N are close: if N doubles from cell to cell, to a factor of about 1.4.

# %%
show.incomplete(base)

# %% [markdown]
# ## Provenance
#
# ### Run it again
#
# The first command takes in the published cells, so the second runs none and builds this report again. The third runs
# one cell again and compares the bytes.

# %%
commands(scenario)

# %% [markdown]
# ### Cost, versions, digests

# %%
show.cost(base)

# %%
show.versions(base)

# %%
show.digests(base)
