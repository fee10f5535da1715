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

scenario = load_scenario("config/quick.yaml")
base = Path("results/quick")

# %%
from frl.report import front, show, tasks
from frl.report.gaits import section

# %%
tasks.sections(scenario, base)

# %% tags=["figure-time_curves"]
show.figure(
    scenario,
    base,
    "time_curves",
    "Return against time. Thin: single seeds; thick: the median of the seeds; dots at the right edge: "
    "final returns. Runs that are set to stop at a return are left out. Dashed: the poster's mean, digitised, with "
    "the method's marker.",
    fold="Return against time, every seed",
)

# %%
section.films(base)

# %% [markdown] tags=["figure-staleness"]
# ### How old updates are
#
# While an agent computes, the server goes on with what the others send.

# %% tags=["figure-staleness"]
show.figure(scenario, base, "staleness", front.LEADS["staleness"])

# %% [markdown] tags=["figure-sensitivity"]
# ## Sensitivity to the step size
#
# Does a larger step size do what more agents do? Each curve has its own best step size.

# %% tags=["figure-sensitivity"]
show.figure(scenario, base, "sensitivity", front.LEADS["sensitivity"])

# %% [markdown] tags=["figure-lookahead"]
# ## What the lookahead adds
#
# AFedPG and Vanilla differ only in the lookahead. The smaller the weight α of an arriving gradient, the longer the
# momentum remembers old gradients, and the more the lookahead can correct.

# %% tags=["figure-lookahead"]
show.figure(
    scenario,
    base,
    "lookahead",
    "What each seed needs to reach the threshold, without the lookahead and with it, all else equal. Lines join "
    "equal seeds. Hollow: not reached within the claim's horizon (dotted), which then counts. Bar: the geometric mean.",
)

# %% [markdown] tags=["figure-fleets"]
# ## Agents of more or less equal speed

# %% tags=["figure-fleets"]
show.figure(
    scenario,
    base,
    "fleets",
    "Time to the threshold, FedPG's over AFedPG's (geometric means), against how many times slower the slowest agent "
    "is than the fastest. Hollow with an arrow: a bound, since some seeds did not get there. Grey: what not waiting "
    "alone would give, in closed form; dashed for fleets with one slow agent, a short mark for any other. FedPG was "
    "trained once and re-timed for each fleet, because what it learns does not depend on how long it waits.",
)

# %% [markdown] tags=["figure-communication"]
# ## Uploading only what has changed
#
# Each method has its own step size. Controls, if there are any, save uploads without a rule: agents toss a coin before
# every upload, or there are fewer rounds with larger batches.

# %% tags=["figure-communication"]
show.figure(scenario, base, "communication", front.LEADS["communication"])

# %% tags=["figure-uploads"]
show.figure(
    scenario,
    base,
    "uploads",
    "When each agent uploaded. Each line is an agent and each mark an upload, in the first seed of each case at its "
    "largest N.",
)

# %% tags=["figure-communication"]
show.table(base, "communication")

# %% [markdown] tags=["figure-traffic"]
# ## What a return costs in bytes

# %% tags=["figure-traffic"]
show.figure(
    scenario,
    base,
    "traffic",
    "Bytes of both directions against samples, both per agent and to the threshold: geometric means with their "
    "intervals, up to what all runs are known for. Hollow: not every seed got there. Dashed: an eighth of the first "
    "method's bytes.",
)
