"""The arithmetic of the tables: `python3 -m unittest` in this folder; run.sh runs it before every measurement."""

import unittest

import table


def points(*pairs):
    return [{"recall": recall, "qps": qps} for recall, qps in pairs]


class SpeedAtRecall(unittest.TestCase):
    def test_a_measured_point_is_its_own_answer(self):
        speed, bound = table.speed_at(points((0.8, 400), (0.9, 200), (0.95, 100)), 0.9)
        self.assertAlmostEqual(speed, 200)
        self.assertFalse(bound)

    def test_between_points_the_logarithm_is_linear(self):
        speed, bound = table.speed_at(points((0.8, 400), (0.9, 100)), 0.85)
        self.assertAlmostEqual(speed, 200)
        self.assertFalse(bound)

    def test_beyond_the_best_recall_there_is_no_answer(self):
        self.assertIsNone(table.speed_at(points((0.8, 400), (0.9, 100)), 0.91))
        self.assertIsNone(table.speed_at([], 0.5))

    def test_below_the_least_recall_the_fastest_is_a_bound(self):
        self.assertEqual(table.speed_at(points((0.93, 400), (0.97, 100)), 0.9), (400, True))

    def test_a_point_beaten_in_both_does_not_count(self):
        self.assertEqual(table.speed_at(points((0.8, 50), (0.9, 100), (0.95, 60)), 0.9), (100, False))
        self.assertEqual(table.speed_at(points((0.8, 50), (0.9, 100)), 0.8), (100, True))


class Rounds(unittest.TestCase):
    def test_the_median_of_rounds_counts_for_each_effort(self):
        rows = [
            {"name": "a", "ef": 10, "recall": 0.9, "qps": qps, "qps_cpu": qps, "p50_us": 1, "p99_us": 2}
            for qps in (100, 300, 200)
        ]
        found = table.medians(rows)["a"][10]
        self.assertEqual((found["qps"], found["spread"]), (200, 1.0))

    def test_a_ratio_says_when_it_is_a_bound(self):
        self.assertEqual(table.ratio((300, False), (100, False)), "3.00x")
        self.assertEqual(table.ratio((300, True), (100, False)), ">= 3.00x")
        self.assertEqual(table.ratio((300, False), (100, True)), "<= 3.00x")
        self.assertEqual(table.ratio((300, True), (100, True)), "~3.00x")
        self.assertEqual(table.ratio(None, (100, False)), "")

    def test_a_busy_machine_is_named(self):
        quiet, busy = {"qps": 99, "qps_cpu": 100}, {"qps": 60, "qps_cpu": 100}
        self.assertEqual(table.disturbed({"a": {10: quiet, 20: quiet}, "b": {10: busy}}), [])
        self.assertIn("60%", table.disturbed({"a": {10: quiet}, "b": {10: busy, 20: busy}})[0])
        self.assertEqual(table.disturbed({}), [])


if __name__ == "__main__":
    unittest.main()
