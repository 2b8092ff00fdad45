"""A world of one's own: a learner that forgets one family at a time, and nothing shows it."""

from argus_gym.agents.mechanisms import QUIET, PlantedAgent
from argus_gym.benchmarks.worlds import Plan, SimulatedWorld


class Forgetful(PlantedAgent):
    """Loses another family with each learning step from the onset on."""

    def learn(self, pairs):
        since = self._steps - self.onset
        if since >= 0 and self.severity:
            family = (self.favourite + since) % len(self.latent.skill)
            self.latent.skill[family] -= 2.0 * self.severity
        return super().learn(pairs)


class ForgetfulWorld(SimulatedWorld):
    """The world: its name, the lie it should be caught as, and its learner."""

    name, lie = "forgetful", "D"

    def agent(self, plan: Plan) -> Forgetful:
        return Forgetful(plan.seed, None, plan.onset, plan.severity, QUIET)
