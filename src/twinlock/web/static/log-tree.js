// The log's tree in a browser: inclusion, and consistency from tiles. Sizes and indexes are BigInt.
//
// Always true (tests/e2e/test_bundle_pages.py): nothing is verified to a boolean. A checked root comes
// back, or `Malformed` is thrown. A tile is believed only as far as the roots that it leads to.
//
// Source: RFC 6962, 2.1; RFC 9162, 2.1.3 and 2.1.4; C2SP tlog-tiles. In Python: `domain/log`.
"use strict";

const TwinlockTree = (() => {
  const { Malformed, joined, same, sha256, sized } = TwinlockForms;
  const HASH_BYTES = 32;
  const PROOF_HASHES_MOST = 63;
  const SIZE_MOST = 2n ** 63n - 1n;
  const TILE_HEIGHT = 8;
  const TILE_WIDTH = 256n;

  // --- Trees: sizes and indexes are BigInt ---

  const leafHash = (entry) => sha256(joined(Uint8Array.of(0), entry));
  const nodeHash = (left, right) => sha256(joined(Uint8Array.of(1), left, right));
  const isOdd = (number) => (number & 1n) === 1n;
  const bits = (number) => (number === 0n ? 0 : number.toString(2).length);

  const splitHashes = (data) => {
    if (data.length % HASH_BYTES) {
      throw new Malformed("not whole hashes");
    }
    const count = data.length / HASH_BYTES;
    return Array.from({ length: count }, (_, at) => data.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES));
  };

  // RFC 9162, 2.1.3.2, step 4: for each of `count` siblings, whether it stands to the left.
  const sides = (first, last, count) => {
    const found = [];
    for (let at = 0; at < count; at += 1) {
      if (last === 0n) {
        throw new Malformed("the proof goes on above the root");
      }
      const left = isOdd(first) || first === last;
      found.push(left);
      while (left && !isOdd(first) && first !== 0n) {
        first >>= 1n;
        last >>= 1n;
      }
      first >>= 1n;
      last >>= 1n;
    }
    if (last !== 0n) {
      throw new Malformed("the proof ends below the root");
    }
    return found;
  };

  const checkLength = (proof) => {
    if (proof.length > PROOF_HASHES_MOST) {
      throw new Malformed("a proof has at most 63 hashes");
    }
  };

  // RFC 9162, 2.1.3.2. Throws Malformed where the leaf does not stand there.
  const checkInclusion = async (leaf, { index, size, proof, root }) => {
    checkLength(proof);
    if (index < 0n || index >= size || size > SIZE_MOST) {
      throw new Malformed("no such leaf");
    }
    let node = leaf;
    for (const [at, left] of sides(index, size - 1n, proof.length).entries()) {
      node = await (left ? nodeHash(proof[at], node) : nodeHash(node, proof[at]));
    }
    if (!same(node, root)) {
      throw new Malformed("the inclusion proof leads to another root");
    }
    return root;
  };

  // RFC 9162, 2.1.4.2. Throws Malformed where the new tree does not begin with the old one.
  const checkConsistency = async (old, grown, proof) => {
    checkLength(proof);
    if (old.size > grown.size || grown.size > SIZE_MOST) {
      throw new Malformed("the log shrank");
    }
    const empty = await sha256(new Uint8Array());
    for (const tree of [old, grown]) {
      if (tree.size === 0n && !same(tree.root, empty)) {
        throw new Malformed("the empty tree has another root");
      }
    }
    if (old.size === 0n || old.size === grown.size) {
      if (proof.length) {
        throw new Malformed("nothing is to be proved, yet there is a proof");
      }
      if (old.size === grown.size && !same(old.root, grown.root)) {
        throw new Malformed("one size with two roots");
      }
      return grown.root;
    }
    if (!proof.length) {
      throw new Malformed("an empty proof cannot show growth");
    }
    const whole = (old.size & (old.size - 1n)) === 0n; // A power of two: the verifier knows its root.
    const [start, ...siblings] = whole ? [old.root, ...proof] : proof;
    let [first, last] = [old.size - 1n, grown.size - 1n];
    while (isOdd(first)) {
      first >>= 1n;
      last >>= 1n;
    }
    let [before, after] = [start, start];
    for (const [at, left] of sides(first, last, siblings.length).entries()) {
      if (left) {
        before = await nodeHash(siblings[at], before);
        after = await nodeHash(siblings[at], after);
      } else {
        after = await nodeHash(after, siblings[at]);
      }
    }
    if (!same(before, old.root) || !same(after, grown.root)) {
      throw new Malformed("the consistency proof leads to another root");
    }
    return grown.root;
  };

  // The complete subtrees [level, index] that the leaves `start` to `end - 1` split into.
  const completeSubtrees = (start, end) => {
    const found = [];
    while (start < end) {
      const level = bits(end - start) - 1;
      found.push([level, start >> BigInt(level)]);
      start += 1n << BigInt(level);
    }
    return found;
  };

  // What a consistency proof is made of: for each hash the complete subtrees that it folds.
  const consistencyParts = (oldSize, newSize) => {
    if (oldSize === 0n || oldSize >= newSize) {
      return [];
    }
    let level = bits(oldSize & -oldSize) - 1;
    let index = (oldSize >> BigInt(level)) - 1n;
    let last = (newSize - 1n) >> BigInt(level);
    const parts = index === 0n ? [] : [[[level, index]]];
    const node = (at) => {
      const end = (at + 1n) << BigInt(level);
      return completeSubtrees(at << BigInt(level), end < newSize ? end : newSize);
    };
    while (last !== 0n) {
      if (isOdd(index)) {
        parts.push([[level, index - 1n]]);
      } else if (index < last) {
        parts.push(node(index + 1n));
      }
      level += 1;
      index >>= 1n;
      last >>= 1n;
    }
    return parts;
  };

  // --- Tiles ---

  // Where a subtree's hashes stand: the tile, the first of them in it, and how many.
  const place = ([level, index]) => {
    const height = BigInt(level % TILE_HEIGHT);
    const first = index << height;
    return {
      level: Math.floor(level / TILE_HEIGHT),
      index: first / TILE_WIDTH,
      start: Number(first % TILE_WIDTH),
      count: Number(1n << height),
    };
  };

  const widthAt = (size, { level, index }) => {
    const width = (size >> BigInt(TILE_HEIGHT * level)) - index * TILE_WIDTH;
    return width < 0n ? 0 : Number(width < TILE_WIDTH ? width : TILE_WIDTH);
  };

  const tilePath = ({ level, index }, width) => {
    const digits = index.toString();
    const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/[0-9]{3}/g);
    const spelled = groups.map((group, at) => (at === groups.length - 1 ? group : `x${group}`));
    const partial = BigInt(width) === TILE_WIDTH ? "" : `.p/${width}`;
    return `tile/${level}/${spelled.join("/")}${partial}`;
  };

  const rowRoot = async (hashes) => {
    let row = hashes;
    while (row.length > 1) {
      const pairs = row.filter((_, at) => at % 2 === 0).map((left, at) => nodeHash(left, row[2 * at + 1]));
      row = await Promise.all(pairs);
    }
    return row[0];
  };

  // Returns the consistency proof between two sizes, made from tiles; `fetchTile` returns the bytes
  // of a path. A tile is believed only as far as the roots that the proof leads to.
  const makeConsistencyProof = async (oldSize, newSize, fetchTile) => {
    const tiles = new Map();
    const subtree = async (at) => {
      const where = place(at);
      const width = widthAt(newSize, where);
      const path = tilePath(where, width);
      if (!tiles.has(path)) {
        tiles.set(path, splitHashes(sized(await fetchTile(path), width * HASH_BYTES)));
      }
      return rowRoot(tiles.get(path).slice(where.start, where.start + where.count));
    };
    const proof = [];
    for (const part of consistencyParts(oldSize, newSize)) {
      const nodes = [];
      for (const at of part) {
        nodes.push(await subtree(at));
      }
      let node = nodes.pop();
      while (nodes.length) {
        node = await nodeHash(nodes.pop(), node);
      }
      proof.push(node);
    }
    return { proof, tiles: tiles.size };
  };

  return Object.freeze({
    HASH_BYTES,
    checkConsistency,
    checkInclusion,
    leafHash,
    makeConsistencyProof,
    splitHashes,
  });
})();
