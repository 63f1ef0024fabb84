/** How much a robot does, by Zipf's law: the first twice as much as the second. The mean is 1. */
export function activityOf(robot: number, robots: number): number {
  return robots / ((robot + 1) * harmonic(robots))
}

const known = new Map<number, number>()

function harmonic(count: number): number {
  const sum = known.get(count) ?? Array.from({ length: count }, (_, n) => 1 / (n + 1)).reduce((a, b) => a + b, 0)
  known.set(count, sum)
  return sum
}
