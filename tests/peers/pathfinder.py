"""Pathfinder images of 32 pixels once more, with NumPy and Pillow and none of our code.

    pip install numpy==2.4.6 pillow==13.0.0
    python3 tests/peers/pathfinder.py PADDLES IMAGES [SEED]

prints the figures that data/tasks/pathfinder_statistics.cpp has in its first three rows: Pillow draws and
reduces dashes and discs, as in the published generator. The rest follows the published geometry step by step,
on whole arrays; how slow that is at other sizes is why only this one is here.
"""
import math
import sys

import numpy as np
from PIL import Image, ImageDraw

SIZE, PADDING, SUPERSAMPLING = 32, 1, 2
LENGTH, THICKNESS, MARGIN = 2, 0.5, 1
SEED_DISTANCE, MARKER_RADIUS = 7, 1.5
SNAKE_CONTRAST, PADDLE_CONTRAST = 2.0, 0.75
DISTRACTOR_PADDLES = 20  # of all distractors together
RADIUS = LENGTH + math.ceil(THICKNESS) + MARGIN  # of a stamp


def step(p, theta, distance):
    return (math.ceil(p[0] + distance * math.sin(theta)), math.ceil(p[1] + distance * math.cos(theta)))


def flip(theta):
    return theta + math.pi if theta < 0 else theta - math.pi


def inside(p):
    return 0 <= p[0] < SIZE and 0 <= p[1] < SIZE


def disk(radius):
    g = np.arange(-radius, radius + 1)
    return g[:, None] ** 2 + g[None] ** 2 <= radius ** 2


def dilate(image, kernel):
    """The maximum over the kernel's pixels that lie inside; -inf where none does."""
    out = np.full(image.shape, -np.inf)
    height, width = image.shape
    for i, j in zip(*np.nonzero(kernel)):
        dy, dx = i - kernel.shape[0] // 2, j - kernel.shape[1] // 2
        here = (slice(max(0, -dy), min(height, height - dy)), slice(max(0, -dx), min(width, width - dx)))
        there = (slice(max(0, dy), min(height, height + dy)), slice(max(0, dx), min(width, width + dx)))
        out[here] = np.maximum(out[here], image[there])
    return out


def reduced(pixels, side):
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.LANCZOS)).astype(float) / 255


STAMPS = {}


def stamp(theta):
    """A dash from the middle along theta, and its clearance."""
    key = round(theta, 12)
    if key not in STAMPS:
        side, c = 2 * RADIUS * SUPERSAMPLING + 1, RADIUS * SUPERSAMPLING
        canvas = Image.new("L", (side, side), 0)
        end = step((c, c), theta, LENGTH * SUPERSAMPLING)
        ImageDraw.Draw(canvas).line([(c, c), (end[1], end[0])], fill=255,
                                    width=round(THICKNESS * SUPERSAMPLING))
        line = np.asarray(canvas)
        mask = np.where(dilate(line.astype(float), disk(MARGIN * SUPERSAMPLING)) > 0, 255, 0).astype(np.uint8)
        STAMPS[key] = (reduced(line, 2 * RADIUS + 1), reduced(mask, 2 * RADIUS + 1))
    return STAMPS[key]


def pasted(square, p, size=SIZE):
    out = np.zeros((size, size))
    top, left = p[0] - RADIUS, p[1] - RADIUS
    y = slice(max(0, top), min(size, p[0] + RADIUS + 1))
    x = slice(max(0, left), min(size, p[1] + RADIUS + 1))
    if y.start < y.stop and x.start < x.stop:
        out[y, x] = square[y.start - top:y.stop - top, x.start - left:x.stop - left]
    return out


def border(width):
    out = np.ones((SIZE, SIZE))
    out[width:SIZE - width, width:SIZE - width] = 0
    return out


KERNELS = {}


def seed_kernel(degree):
    if degree not in KERNELS:
        # One pixel too small a square, and one off its middle: so the published generator.
        half = LENGTH + MARGIN
        kernel = pasted(stamp(math.radians(degree))[1], (half + 1, half + 1), 2 * half + 1) >= 1
        usable = kernel.any() and np.isfinite(dilate(np.zeros((SIZE, SIZE)), kernel)).all()
        KERNELS[degree] = kernel if usable else None
    return KERNELS[degree]


class Contour:
    def __init__(self, tail, theta, pivot, contrast):
        line, mask = stamp(theta)
        self.origin = self.tip = tail
        self.pivot, self.theta = pivot, theta
        self.newest = pasted(mask, tail)  # not among the obstacles yet
        self.image = pasted(line, tail) * contrast
        self.contrast = contrast


class Generator:
    def __init__(self, paddles, seed):
        self.paddles = paddles
        self.random = np.random.default_rng(seed)
        self.near = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]  # disk(MARGIN)

    def degree(self):
        return int(self.random.integers(-180, 180))

    @staticmethod
    def begin(tail, degree, contrast):
        theta = math.radians(degree)
        head = step(tail, theta, LENGTH)
        pivot = step(head, flip(theta), LENGTH + MARGIN)
        return Contour(tail, theta, pivot, contrast) if inside(head) and inside(pivot) else None

    def seed(self, obstacles, band, contrast):
        degree = self.degree()
        kernel = seed_kernel(degree)
        if kernel is None:
            return None
        free = np.argwhere(dilate(np.maximum(obstacles, border(band)), kernel) <= 0.3)
        for _ in range(3 if len(free) else 0):
            tail = tuple(int(v) for v in free[self.random.integers(len(free))])
            contour = self.begin(tail, degree, contrast)
            if contour:
                return contour
        return None

    def second_seed(self, first, contrast):
        for _ in range(3):
            degree, way = self.degree(), math.radians(self.degree())
            tail = (round(first[0] + SEED_DISTANCE * math.sin(way)),
                    round(first[1] + SEED_DISTANCE * math.cos(way)))
            contour = self.begin(tail, degree, contrast)
            if contour:
                return contour
        return None

    def extend(self, contour, obstacles):
        """The obstacles with one paddle more; None if it has no place."""
        pivot = step(contour.pivot, contour.theta, LENGTH + 2 * MARGIN)
        radius = LENGTH + MARGIN
        points = set()
        for i in range(math.ceil(2 * math.pi * radius)):
            y, x = pivot[0] + radius * math.sin(i / radius), pivot[1] + radius * math.cos(i / radius)
            if 0 <= y < SIZE and 0 <= x < SIZE:
                points.add((int(y), int(x)))
        points = sorted(points)
        weights, thetas = [], []
        for p in points:
            theta = math.atan2(p[0] - pivot[0], p[1] - pivot[1])
            turn = abs(theta - contour.theta)
            turn = min(turn, 2 * math.pi - turn)
            around = [(p[0] + dy, p[1] + dx) for dy, dx in self.near]
            blocked = max(obstacles[q] for q in around if inside(q))
            weights.append(math.cos(min(turn, math.pi / 2)) ** 2 * (1 - blocked))
            thetas.append(theta)
        if sum(weights) < 1e-4:
            return None
        weights = np.maximum(weights, 0) / np.maximum(weights, 0).sum()
        for _ in range(3):
            i = self.random.choice(len(points), p=weights)
            line, mask = stamp(flip(thetas[i]))
            placed = pasted(mask, points[i])
            if (obstacles + placed).max() < 1.8:
                contour.image = np.maximum(contour.image, pasted(line, points[i]) * contour.contrast)
                obstacles = np.maximum(obstacles, contour.newest)
                contour.newest, contour.pivot = placed, pivot
                contour.theta, contour.tip = thetas[i], points[i]
                return obstacles
        return None

    def contours(self):
        """Both targets and the obstacles that they leave; None if one of them has no place."""
        obstacles = border(PADDING)
        contrast = SNAKE_CONTRAST * PADDLE_CONTRAST
        one = self.seed(obstacles, 2 * SEED_DISTANCE, contrast)
        two = one and self.second_seed(one.origin, contrast)
        if two is None:
            return None
        for _ in range(1, self.paddles):
            for contour in (one, two):
                obstacles = self.extend(contour, obstacles)
                if obstacles is None:
                    return None
        return one, two, np.maximum(obstacles, two.newest)

    def distractor(self, obstacles):
        if (obstacles <= 0.3).sum() < 0.01 * SIZE * SIZE:
            return None
        contour = self.seed(obstacles, 1, SNAKE_CONTRAST)
        if contour is None:
            return None
        for _ in range(1, self.paddles // 3):
            obstacles = self.extend(contour, obstacles)
            if obstacles is None:
                return None
        return contour.image, np.maximum(obstacles, contour.newest)

    @staticmethod
    def marker(centre):
        g = np.arange(SIZE * SUPERSAMPLING)
        y, x = (g[:, None] - centre[0] * SUPERSAMPLING), (g[None] - centre[1] * SUPERSAMPLING)
        disc = y ** 2 + x ** 2 <= (MARKER_RADIUS * SUPERSAMPLING) ** 2
        return reduced(np.where(disc, 255, 0).astype(np.uint8), SIZE)

    def image(self):
        """Pixels, attempts, distractors."""
        attempts, found = 0, None
        while found is None:
            attempts += 1
            found = self.contours()
        one, two, obstacles = found
        image = np.maximum(one.image, two.image)
        placed = 0
        for _ in range(DISTRACTOR_PADDLES // (self.paddles // 3)):
            for _ in range(5):
                drawn = self.distractor(obstacles)
                if drawn is not None:
                    image, obstacles = np.maximum(image, drawn[0]), drawn[1]
                    placed += 1
                    break
        first, label = self.random.integers(2), self.random.integers(2)
        origins, tips = (one.origin, two.origin), (one.tip, two.tip)
        for centre in (origins[first], tips[first if label else 1 - first]):
            image = np.maximum(image, self.marker(centre))
        low, high = image.min(), image.max()
        return np.floor((image - low) * (255 / (high - low)) + 0.5), attempts, placed


def main():
    paddles, count = int(sys.argv[1]), int(sys.argv[2])
    generator = Generator(paddles, int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    rows, attempts, placed = [], 0, 0
    for _ in range(count):
        pixels, tries, distractors = generator.image()
        attempts += tries
        placed += distractors
        rows.append([pixels.mean()] + [(pixels > v).mean() for v in (0, 64, 127, 200, 254)])
    mean, error = np.mean(rows, axis=0), np.std(rows, axis=0) / math.sqrt(count)
    print(f"32, {paddles}: {count} images, accepted {count / attempts:.5f}, placed {placed / count:.3f}, "
          f"grey {mean[0]:.3f} +- {error[0]:.3f}")
    for i, name in enumerate(("> 0", "> 64", "> 127", "> 200", "= 255")):
        print(f"  share {name:6} {mean[i + 1]:.5f} +- {error[i + 1]:.5f}")


main()
