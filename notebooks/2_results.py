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
from frl.report import show

# %% [markdown]
# # Results

# %% [markdown] tags=["figure-sample_complexity"]
# ## Sample complexity
#
# How much must *one* agent sample until the shared policy is good? If N agents help, each should need less.

# %% tags=["figure-sample_complexity"]
show.figure(
    scenario,
    base,
    "sample_complexity",
    "One panel for each task and N. Thin: single seeds; thick: the median of the seeds at each point; dots at the "
    "right edge: final returns; both without runs that are set to stop at a return. Dashed: the poster's mean, "
    "digitised, where it has the curve; dotted: the threshold. In a title: how many of all seeds reach the threshold "
    "and stay at two evaluations in a row.",
)

# %% tags=["figure-sample_complexity"]
show.table(base, "samples_to_threshold")

# %% [markdown] tags=["figure-time_complexity"]
# ## Time complexity
#
# The same runs against simulated time, in which agents differ in speed and a synchronous server waits for the slowest.

# %% tags=["figure-time_complexity"]
show.figure(
    scenario,
    base,
    "time_complexity",
    "How many of all of a method's seeds have reached the threshold by then. A bar at the end of a line is where the "
    "method's last run ends.",
)

# %% tags=["figure-time_curves"]
show.figure(
    scenario,
    base,
    "time_curves",
    "Return against simulated time. Thin: single seeds; thick: the median of the seeds; dots at the right edge: "
    "final returns; both without runs that are set to stop at a return. Dashed: the poster's mean, digitised, with the "
    "method's marker.",
)

# %% tags=["figure-time_complexity"]
show.table(base, "time_to_threshold")

# %% tags=["figure-time_complexity"]
show.table(base, "time_ratio")

# %% [markdown] tags=["figure-staleness"]
# ## How old updates are
#
# While an agent computes, the server goes on with what the others send.

# %% tags=["figure-staleness"]
show.figure(
    scenario,
    base,
    "staleness",
    "How many steps the server makes from the dispatch of a task to the step that uses its update, over all "
    "updates of all seeds; dashed: the median.",
)

# %% [markdown] tags=["figure-sensitivity"]
# ## The step size
#
# Does a larger step size do what more agents do? Each curve has its own best step size.

# %% tags=["figure-sensitivity"]
show.figure(
    scenario,
    base,
    "sensitivity",
    "What the seeds need to the threshold (geometric mean, with the horizon for those that never get there) "
    "against the step size. Left: samples, a curve for each N; right: simulated time, a curve for each method. A "
    "marker is filled as far as seeds got there; bars: intervals.",
)

# %% [markdown] tags=["figure-lookahead"]
# ## What the lookahead adds
#
# AFedPG and Vanilla differ in the lookahead alone. The smaller the weight α of an arriving gradient, the longer the
# momentum remembers old ones, and the more there is for the lookahead to repair.

# %% tags=["figure-lookahead"]
show.figure(
    scenario,
    base,
    "lookahead",
    "What each seed needs to the threshold without the lookahead and with it, all else equal. Lines join equal "
    "seeds; hollow: not there by the claim's horizon (dotted); bar: the geometric mean, with the horizon for "
    "those.",
)

# %% [markdown] tags=["figure-fleets"]
# ## More and less equal agents

# %% tags=["figure-fleets"]
show.figure(
    scenario,
    base,
    "fleets",
    "Simulated time that FedPG needs to the threshold over AFedPG's (geometric means), against slowest over fastest "
    "agent. FedPG was trained once and re-timed for each fleet: what it learns does not depend on how long it waits.",
)

# %% [markdown]
# ## Final returns

# %%
show.table(base, "final_return")

# %% [markdown]
# ## Missing and diverged runs
#
# No run is dropped: one that is missing is listed, one that diverged is kept in every mean at its last finite return
# and marked by a cross in the figures.

# %%
show.incomplete(base)

# %% [markdown]
# ## How far to trust an interval
#
# A 95 % interval from few seeds holds the truth less often than 95 % of the time if the seeds are not normally
# distributed. On Swimmer they often are not: some leave a plateau at 30 to 35 and some do not. This table simulates how
# often the intervals of means used here hold the true mean. Verdicts do not rest on mean returns but on log times to
# the threshold; how often those are wrong is simulated in the tests (tests/unit/test_power.py).

# %%
show.interval_coverage(scenario)
