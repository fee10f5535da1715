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

# %% [markdown]
# ## Methods
#
# ### Learning together without pooling the data
#
# In reinforcement learning an agent improves a policy by trial: it acts, sees a reward, and adjusts the parameters of
# the policy so that good outcomes become more likely. That takes a great many trials. If several agents face the same
# task (a fleet of robots of one kind, devices in many homes), each could learn faster from the experience of all.
#
# *Federated* reinforcement learning does this without collecting the experience in one place. A server holds the
# parameters of the shared policy. An agent receives parameters, gathers experience in its own environment, and sends
# back a gradient: the direction in which its experience says the parameters should move. Observations, actions, rewards
# and whole trajectories stay with the agent, for reasons of privacy and because a gradient is usually far smaller than
# the data it was computed from.

# %%
from frl.report import show
from frl.report.figures import diagrams
from frl.report.tables import communication

show.diagram(
    diagrams.messages,
    scenario,
    "What crosses between the server and an agent in this scenario, and what does not.",
)

# %% [markdown]
# ### Why not wait
#
# The obvious protocol is *synchronous*: the server sends the same parameters to all N agents, waits for all N
# gradients, averages them and takes one step (**FedPG**). But agents differ. One may have a slower processor, a worse
# connection or a busier owner, and each round lasts as long as its slowest member. The others stand idle.
#
# An *asynchronous* server steps whenever any gradient arrives and sends that agent straight back to work. Nobody waits.
# The price is *staleness*: when a gradient arrives, the parameters have moved since its agent was sent out, so it
# describes a place where the policy no longer is.

# %%
show.diagram(
    diagrams.timeline,
    scenario,
    "The same agents under both protocols, with this scenario's task times. A black line is an update of the server.",
)

# %% [markdown]
# ### AFedPG, line by line
#
# AFedPG (Lan, Han, Hashemi, Aggarwal and Brinton, ICLR 2025, arXiv:2404.08003) is an asynchronous method that
# corrects for staleness. The server keeps the parameters $\theta$ and one momentum buffer $d$. In its step $k$ it
#
# 1. receives a gradient from the one agent $i_k$ that has finished. The agent was sent out at step $j = k - \delta_k$
#    ($\delta_k$ is the delay) and sampled trajectories $\tilde\tau_j$ at the point $\tilde\theta_j$ it was given then:
#
# $$ g = g(\tilde\tau_j, \tilde\theta_j) $$
#
# 2. mixes it into the momentum buffer, with the weight of the step at which it was dispatched:
#
# $$ d \leftarrow (1 - \alpha_j)\, d + \alpha_j\, g $$
#
# 3. takes a step of fixed length along it, whatever the size of the gradients:
#
# $$ \theta_k \leftarrow \theta_{k-1} + \eta_{k-1} \frac{d}{\lVert d \rVert} $$
#
# 4. looks ahead: it places the next sampling point beyond the new parameters, along the step just made:
#
# $$ \tilde\theta_k \leftarrow \theta_k + \frac{1 - \alpha_j}{\alpha_j} (\theta_k - \theta_{k-1}) $$
#
# 5. sends $\tilde\theta_k$ back to agent $i_k$ alone. All others keep computing.
#
# The agent's part is short: receive $\tilde\theta$, run the policy $\pi(\tilde\theta)$ in its own environment, compute
# $g$ there, upload it. It keeps no momentum and no optimiser of the policy.
#
# *Why look ahead?* The buffer $d$ consists mostly of old gradients, taken at old points, so it lags behind the gradient
# at $\theta_k$. The lookahead samples further along the path, so that the newest gradient leads by as much as the
# others lag. With one agent and a constant $\alpha$ the two errors cancel, to first order in the step. With more agents
# the lookahead removes the lag of the momentum, but not that of the delay itself.

# %% [markdown]
# ### The methods compared
#
# | method | when the server steps | what it does with a gradient |
# |---|---|---|
# | **PG** (N = 1) | after each gradient | AFedPG with a single agent |
# | **AFedPG** | after each gradient, from whichever agent | momentum, normalised step, lookahead |
# | **FedPG** | when all N of a round are in | averages them, then as AFedPG or a plain step (`server.variant`) |
# | **Vanilla** | after each gradient, from whichever agent | as AFedPG, without the lookahead |
# | **LAPG** | when all N of a round have answered | adds up the uploads; an agent with nothing new uploads nothing |
# | **A3C-style** | after each gradient, from whichever agent | shared RMSProp, n-step returns, no lookahead |
#
# ### The poster
#
# "The poster" is Ali Soltani's RL Journal Club poster *Federated Reinforcement Learning* (2025-09-11). It explains LAPG
# and AFedPG, and shows two figures of the AFedPG paper, both on Swimmer, whose curves were read off.

# %% [markdown] tags=["figure-communication"]
# ### LAPG's rule
#
# LAPG, lazily aggregated policy gradient (Chen, Zhang, Giannakis and Başar, IEEE TCNS 2022, arXiv:1812.03239), is
# synchronous. In every round $k$ the server broadcasts $\theta^k$, and every agent $m$ computes a gradient $g_m$ there.
# It uploads only the change since its last upload:
#
# $$ \delta_m = g_m(\theta^k) - g_m(\text{last uploaded}) $$
#
# The server keeps the sum of all that was ever uploaded, $\nabla \leftarrow \nabla + \sum_m \delta_m$, and steps along
# it: $\theta^{k+1} = \theta^k + \alpha \nabla$. For an agent that uploads nothing, that sum holds its old gradient. An
# agent uploads in each of the first $D$ rounds, and later whenever
#
# $$ \lVert \delta_m \rVert^2 \ge \frac{1}{\alpha^2 N^2} \sum_{d=1}^{D} \xi_d \lVert \theta^{k+1-d} -
# \theta^{k-d} \rVert^2 + c \, \sigma_m^2 $$
#
# The first term compares with how far the policy has moved of late. In the second, $\sigma_m^2$ is the noise of the
# agent's gradient, which it estimates from the spread over its own environments, and $c$ is the *variance multiplier*,
# 6 in the paper. It is needed because gradients are noisy: even if $\theta$ stood still, two gradients would differ by
# $\lVert \delta_m \rVert^2 \approx 2 \sigma_m^2$ on average. With $c = 0$ this noise makes almost every agent upload in
# every round. With $c$ well above 2 an agent uploads only when the change stands out from the noise, and may stay
# silent for many rounds.

# %% [markdown]
# ### What leaves an agent, and what never does

# %%
show.frame(communication.privacy(scenario))

# %% [markdown]
# Gradients are not data, but they are computed from data: we do not prove that observations cannot be reconstructed
# from them. The table says what is sent. The type of the messages has no place for anything else, and their size does
# not depend on how much an agent has seen.
