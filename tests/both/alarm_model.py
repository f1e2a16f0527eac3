"""The alarm rules written a second time, slowly and plainly, for test_alarm.py: it keeps every reading and works
everything out from the first one again. Shares no code with the firmware but the settings' names and the state bits.
"""

CLIPPED, LOST, FAULT = 1 << 7, 1 << 8, 1 << 12

# mm/s x 100, group and support as settings store them (1 and 2; 0 rigid, 1 flexible).
CELLS = {(1, 0): (230, 450, 710), (1, 1): (350, 710, 1100), (2, 0): (140, 280, 450), (2, 1): (230, 450, 710)}
NAMES = {1: "velocity_rms_%s_cmm_s", 2: "acceleration_rms_%s_mg", 4: "envelope_rms_%s_mg", 5: "kurtosis_%s_c"}
NAMES.update({6: "temperature_%s_dc", 7: "temperature_rise_%s_dc"})
VELOCITIES = (1, 8)


def ceil_div(a, b):
    return -(-a // b)


def mean(values):
    """Rounded half up."""
    return (2 * sum(values) + len(values)) // (2 * len(values))


class Model:
    def __init__(self, values):
        self.s = values
        self.readings = []
        self.before = {}

    def cells(self):
        s = self.s
        if not 120 <= s["machine_speed_rpm"] <= 30000:
            return None
        if s["machine_group"] == 4:
            return (s["zone_ab_cmm_s"], s["zone_bc_cmm_s"], s["zone_cd_cmm_s"])
        return CELLS.get((s["machine_group"], s["machine_support"]))

    def usual(self, metric, learned):
        if metric == 1 and self.s["velocity_baseline_cmm_s"]:
            return self.s["velocity_baseline_cmm_s"]
        n = self.s["baseline_readings"]
        return mean(learned[metric][:n]) if n and len(learned[metric]) >= n else None

    def limit(self, metric, level, learned):
        """Limit of a metric for level 1 or 2, 0 when off."""
        s, cells = self.s, self.cells()
        if metric == 8:
            base = self.usual(1, learned)
            return ceil_div(cells[1], 4) if level == 1 and s["change_rule"] and cells and base is not None else 0
        fixed = [s[NAMES[metric] % word] for word in ("warning", "danger")]
        follows = [0, 0]
        if metric == 1 and cells:
            base = self.usual(1, learned)
            # 4 x the limit: 4 baseline + B/C, at most 5 B/C; rounded up to what a reading can be.
            # 1.25 x B/C of odd user limits is rounded down to 0.001 mm/s first.
            quarter = cells[1] * 25 // 10
            warn = cells[1] * 10 if base is None else min(10 * base, 10 * cells[1]) + quarter
            follows = [ceil_div(warn, 10), ceil_div(cells[2] * 125 // 10, 10)]
        if metric in (2, 4):
            base = self.usual(metric, learned)
            for index, word in enumerate(("warning", "danger")):
                percent = s["baseline_%s_percent" % word]
                if percent and base is not None:
                    follows[index] = max(1, ceil_div(base * percent, 100))
        danger = fixed[1] or (max(follows[1], fixed[0]) if follows[1] else 0)
        warning = fixed[0] or follows[0]
        if not fixed[0] and danger and warning > danger:
            warning = danger
        return danger if level == 2 else warning

    def below_release(self, metric, value, limit):
        if metric in VELOCITIES:
            return value < limit - self.s["hysteresis_cmm_s"] or 2 * value < limit
        return 100 * value < limit * (100 - self.s["hysteresis_percent"])

    def evaluate(self, metrics, flags, now_s):
        """Changes as a list, as the engine reports them."""
        self.readings.append((metrics, flags, now_s))
        now = self.replay()
        changes = []
        for metric in (1, 2, 4, 5, 6, 7, 8):
            level, axis, value, limit = now[metric]
            if level != self.before.get(metric, 0):
                changes.append((metric, axis, level, value, limit))
            self.before[metric] = level
        self.level = max(self.before.values())
        return changes

    def replay(self):
        """metric -> (level, axis, value, limit of the last change) after all readings so far."""
        s = self.s
        learned = {1: [], 2: [], 4: [], 6: []}
        votes = {}
        on = {}
        above = {}
        result = {}
        for metrics, flags, now_s in self.readings:
            value, axis = {}, {}
            for metric, where, number in metrics:
                if number is not None and (metric not in value or number > value[metric]):
                    value[metric], axis[metric] = number, where
            good = not flags & (CLIPPED | LOST | FAULT)
            running = self.running(value, above, good)
            if 6 in value:
                base = self.usual(6, learned) if s["ambient_dc"] == -2731 else s["ambient_dc"]
                if base is not None:
                    value[7], axis[7] = value[6] - base, axis[6]
            base = self.usual(1, learned)
            if 1 in value and base is not None:
                value[8], axis[8] = value[1] - base, axis[1]
            self.stopped = good and running == "no"
            self.rated = good and running == "yes"
            for metric in (1, 2, 4, 5, 6, 7, 8):
                was = max([level for level in (1, 2) if on.get((metric, level))] + [0])
                limits = {1: self.limit(metric, 1, learned), 2: self.limit(metric, 2, learned)}
                if metric in value:
                    if self.rated or metric in (6, 7):
                        for level in (1, 2):
                            if limits[level]:
                                self.vote(
                                    votes,
                                    on,
                                    (metric, level),
                                    abs(value[8]) if metric == 8 else value[metric],
                                    limits[level],
                                    now_s,
                                )
                    elif self.stopped:
                        for level in (1, 2):
                            on[metric, level] = None
                            votes[metric, level] = []
                    elif metric == 2 and flags & (CLIPPED | LOST | FAULT) == CLIPPED:
                        # The true value is this or more: a vote for going up, or none.
                        for level in (1, 2):
                            if limits[level] and value[2] >= limits[level] and on.get((2, level)) is None:
                                self.vote(votes, on, (2, level), value[2], limits[level], now_s)
                level = max([level for level in (1, 2) if on.get((metric, level))] + [0])
                if level > was:
                    limit = limits[level]
                elif level < was:
                    limit = limits[level + 1] or limits[2]
                else:
                    limit = 0
                number = value.get(metric)
                result[metric] = (
                    level,
                    axis.get(metric),
                    number,
                    -limit if metric == 8 and number and number < 0 else limit,
                )
            if self.rated:
                for metric in learned:
                    if metric in value:
                        learned[metric].append(value[metric])
        return result

    def running(self, value, above, good):
        s = self.s
        floors = [(2, s["running_floor_mg"]), (1, s["running_floor_cmm_s"])]
        asked = [metric for metric, floor in floors if floor]
        for metric, floor in floors:
            if good and floor and metric in value:
                if above.get(metric):
                    above[metric] = not self.below_release(metric, value[metric], floor)
                else:
                    above[metric] = value[metric] >= floor
        if not asked or [metric for metric in asked if above.get(metric)]:
            return "yes"
        return "no" if [metric for metric in asked if metric in above] == asked else "unknown"

    def vote(self, votes, on, key, value, limit, now_s):
        cast = votes.setdefault(key, [])
        since = on.get(key)
        if since is None:
            cast.append(value >= limit)
        else:
            cast.append(self.below_release(key[0], value, limit))
            if now_s < since[0]:
                since[0] = now_s
        if sum(cast[-self.s["confirm_of"] :]) < self.s["confirm_readings"]:
            return
        if since is None:
            on[key] = [now_s]
            votes[key] = []
        elif now_s - since[0] >= self.s["hold_off_s"]:
            on[key] = None
            votes[key] = []

    def zone(self, velocity):
        cells = self.cells()
        if velocity is None or cells is None or not self.rated:
            return 0
        return 1 + len([cell for cell in cells if velocity >= cell])
