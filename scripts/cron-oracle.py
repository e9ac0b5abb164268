#!/usr/bin/env python3
"""Writes Tests/SchedulingTests/CronOracle.swift: what an independent reckoner says of cron expressions.

Run by hand where the rules change: it walks through every minute of UTC, asks Python's zoneinfo what the clocks on the
wall show, and matches that against the fields, without any of the arithmetic that Apus uses. Where `croniter` is
installed (pip install croniter), its answers in UTC are compared, too.
"""

import datetime
import pathlib
import random
import zoneinfo

try:
    import croniter
except ImportError:
    croniter = None

UTC = datetime.timezone.utc
RANGES = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
NAMES = [{}, {}, {}, {n: i + 1 for i, n in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split())},
         {n: i for i, n in enumerate("sun mon tue wed thu fri sat".split())}]


def field(text, index):
    low, high = RANGES[index]
    values = set()

    def number(word):
        return NAMES[index].get(word.lower()) if word.lower() in NAMES[index] else int(word)

    for part in text.split(","):
        span, _, step = part.partition("/")
        if span in ("*", "?"):
            first, last = low, 6 if index == 4 else high
        elif "-" in span:
            first, last = map(number, span.split("-"))
        else:
            first = number(span)
            last = high if step else first
        values |= set(range(first, last + 1, int(step or 1)))
    return {v % 7 for v in values} if index == 4 else values


def due(fields, sets, wall):
    day, weekday = wall.day in sets[2], (wall.weekday() + 1) % 7 in sets[4]
    stars = fields[2][0] in "*?" or fields[4][0] in "*?"
    return (wall.minute in sets[0] and wall.hour in sets[1] and wall.month in sets[3]
            and ((day and weekday) if stars else (day or weekday)))


def fires(text, zone, start, count, limit):
    """The first `count` instants behind `start`, by walking minute by minute."""
    fields = text.split()
    sets = [field(f, i) for i, f in enumerate(fields)]
    each_hour = fields[1].startswith("*")
    found = []
    moment = start
    while len(found) < count and moment < limit:
        before, moment = moment, moment + datetime.timedelta(minutes=1)
        wall, earlier = moment.astimezone(zone), before.astimezone(zone)
        shift = wall.utcoffset() - earlier.utcoffset()
        # The second time that the clocks show the same (PEP 495).
        is_repeated = wall.fold == 1 and wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset()
        hit = due(fields, sets, wall) and (each_hour or not is_repeated)
        if not hit and not each_hour and shift > datetime.timedelta():
            left_out = earlier.replace(tzinfo=None) + datetime.timedelta(minutes=1)
            while left_out < wall.replace(tzinfo=None) and not hit:
                hit = due(fields, sets, left_out)
                left_out += datetime.timedelta(minutes=1)
        if hit:
            found.append(int(moment.timestamp()))
    return found


def at(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


CHOSEN = [
    # Clocks go forward in Madrid on 2026-03-29 at 01:00 UTC, and back on 2026-10-25 at 01:00 UTC.
    ("30 2 * * *", "Europe/Madrid", "2026-03-27T12:00", 4), ("0 2 * * *", "Europe/Madrid", "2026-03-27T12:00", 4),
    ("*/15 2 * * *", "Europe/Madrid", "2026-03-28T12:00", 6), ("*/15 1-3 * * *", "Europe/Madrid", "2026-03-28T23:00", 14),
    ("*/15 * * * *", "Europe/Madrid", "2026-03-29T00:10", 8), ("30 * * * *", "Europe/Madrid", "2026-03-28T23:10", 5),
    ("30 2 * * *", "Europe/Madrid", "2026-10-23T12:00", 4), ("*/15 2 * * *", "Europe/Madrid", "2026-10-24T12:00", 9),
    ("*/20 * * * *", "Europe/Madrid", "2026-10-24T23:30", 12), ("0 3 * * *", "Europe/Madrid", "2026-10-23T12:00", 4),
    ("0 */2 * * *", "Europe/Madrid", "2026-10-24T20:00", 8),
    ("30 2 * * *", "America/New_York", "2026-03-07T12:00", 3), ("30 1 * * *", "America/New_York", "2026-10-31T12:00", 4),
    ("5 * * * *", "America/New_York", "2026-11-01T04:00", 6), ("0 0 * * *", "America/Sao_Paulo", "2018-11-02T12:00", 4),
    # A change by half an hour, a zone with three quarters of one, a day that was left out, changes at midnight.
    ("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T00:00", 4), ("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T00:00", 4),
    ("*/10 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00", 12), ("0 9 * * MON", "Asia/Kathmandu", "2026-01-01T00:00", 3),
    ("0 12 30 12 *", "Pacific/Apia", "2011-12-29T00:00", 1), ("0 12 * * *", "Pacific/Apia", "2011-12-28T00:00", 4),
    ("0 0 * * *", "Africa/Cairo", "2026-04-22T12:00", 4), ("30 23 * * *", "Africa/Cairo", "2026-10-27T12:00", 4),
    ("30 1 * * *", "Europe/Dublin", "2026-03-27T12:00", 4), ("30 1 * * *", "Europe/Dublin", "2026-10-23T12:00", 4),
    ("30 2 * * *", "Africa/Casablanca", "2027-02-05T00:00", 4),
    # Behind what the files list one by one.
    ("30 2 * * *", "Europe/Madrid", "2099-03-27T12:00", 4), ("30 2 * * *", "America/New_York", "2080-03-08T12:00", 4),
    # Days and weekdays.
    ("0 0 13 * FRI", "UTC", "2026-01-01T00:00", 8), ("0 0 */2 * MON", "UTC", "2026-01-01T00:00", 8),
    ("0 0 1-7 * *", "UTC", "2026-01-20T00:00", 9), ("0 0 29 2 *", "UTC", "2026-01-01T00:00", 2),
    ("0 0 31 * *", "UTC", "2026-01-01T00:00", 7), ("0 0 * 2 7", "UTC", "2026-01-01T00:00", 5),
    ("5/20 8-10/2 ? JAN,MAR mon-fri", "UTC", "2026-01-30T00:00", 9), ("59 23 31 12 *", "UTC", "2026-06-01T00:00", 2),
]
ZONES = ["UTC", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns",
         "Pacific/Chatham", "Africa/Cairo"]


def random_field(generator, index):
    low, high = RANGES[index]
    kind = generator.random()
    if kind < 0.35:
        return "*"
    if kind < 0.5:
        return f"*/{generator.randint(1, max(2, high // 2))}"
    one = generator.randint(low, high)
    if kind < 0.75 or one == high:
        return str(one)
    if kind < 0.9:
        return f"{one}-{generator.randint(one + 1, high)}"
    return f"{one},{generator.randint(low, high)}"


def generated(count):
    generator = random.Random(7)
    cases = []
    while len(cases) < count:
        text = " ".join(random_field(generator, i) for i in range(5))
        start = at("2026-01-01T00:00") + datetime.timedelta(minutes=generator.randint(0, 525_000))
        # Near the days on which clocks change, half of the time.
        if generator.random() < 0.5:
            start = generator.choice([at("2026-03-28T20:00"), at("2026-10-24T20:00"), at("2026-03-08T03:00"),
                                      at("2026-11-01T02:00"), at("2026-04-23T12:00"), at("2026-10-29T12:00")])
        zone = generator.choice(ZONES)
        found = fires(text, zoneinfo.ZoneInfo(zone), start, 6, start + datetime.timedelta(days=100))
        if found:
            cases.append((text, zone, int(start.timestamp()), found))
    return cases


def main():
    cases = []
    for text, zone, start, count in CHOSEN:
        begin = at(start)
        limit = begin + datetime.timedelta(days=800 if zone == "UTC" else 400)
        found = fires(text, zoneinfo.ZoneInfo(zone), begin, count, limit)
        if not found and "29 2" not in text and zone != "Pacific/Apia":
            raise SystemExit(f"nothing found for {text}")
        if "29 2" in text:
            found = [int(at(t).timestamp()) for t in ("2028-02-29T00:00", "2032-02-29T00:00")]
        cases.append((text, zone, int(begin.timestamp()), found))
    cases += generated(160)
    compared = 0
    for text, zone, start, found in cases:
        fields = text.split()
        if croniter is None or zone != "UTC" or "?" in text or (fields[2][0] == "*" != fields[2]) \
                or (fields[4][0] == "*" != fields[4]) or "5/20" in text \
                or (fields[2] != "*" and fields[2][0] == "*") or (fields[4] != "*" and fields[4][0] == "*"):
            continue
        iterator = croniter.croniter(text, datetime.datetime.fromtimestamp(start, UTC))
        theirs = [int(iterator.get_next(float)) for _ in found]
        assert theirs == found, (text, start, theirs, found)
        compared += 1
    lines = ["// Made by scripts/cron-oracle.py; not to be changed by hand.", "",
             "/// One line a case: the expression, the zone, an instant, and how long it is from each instant at which the",
             "/// expression is due to the next one, all in minutes.", 'let cronOracle = """']
    for text, zone, start, found in cases:
        steps = [(after - before) // 60 for before, after in zip([start] + found, found)]
        lines.append(f"    {text}|{zone}|{start // 60}|{' '.join(map(str, steps))}")
    lines += ['    """', ""]
    root = pathlib.Path(__file__).resolve().parent.parent
    (root / "Tests/SchedulingTests/CronOracle.swift").write_text("\n".join(lines))
    print(f"{len(cases)} cases; {compared} compared with croniter")


if __name__ == "__main__":
    main()
