// Golog checks a tiled log with the packages behind Go's own checksum database.
//
// Usage: golog DIRECTORY LOG_VKEY WITNESS_VKEY
//
// It ends with 0 and "accepted ...", or with 1 and "refused: ...". The witness's key is ignored:
// these packages know plain Ed25519 signatures only, and skip lines of other keys as they must.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: golog DIRECTORY LOG_VKEY WITNESS_VKEY")
		os.Exit(2)
	}
	size, err := check(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
	fmt.Println("accepted", size)
}

func check(directory, vkey string) (int64, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return 0, err
	}
	signed, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	if err != nil {
		return 0, err
	}
	tree, err := openCheckpoint(signed, verifier)
	if err != nil {
		return 0, err
	}
	if err := checkEntries(directory, tree); err != nil {
		return 0, err
	}
	if err := checkClaims(directory, verifier); err != nil {
		return 0, err
	}
	return tree.N, checkGrowth(directory, tree, verifier)
}

func openCheckpoint(signed []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	origin, rest, _ := strings.Cut(opened.Text, "\n")
	if origin != verifier.Name() {
		return tlog.Tree{}, errors.New("another log's checkpoint")
	}
	// The package reads checkpoints of its own database only, which differ in the first line.
	return tlog.ParseTree([]byte("go.sum database tree\n" + rest))
}

// checkEntries compares every entry with its leaf hash, read from tiles that lead to the root.
func checkEntries(directory string, tree tlog.Tree) error {
	reader := tlog.TileHashReader(tree, tiles(directory))
	for first := int64(0); first < tree.N; first += 1 << height {
		width := tree.N - first
		if width > 1<<height {
			width = 1 << height
		}
		tile := tlog.Tile{H: height, L: 0, N: first >> height, W: int(width)}
		entries, err := readEntries(filepath.Join(directory, entriesPath(tile)), int(width))
		if err != nil {
			return err
		}
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, entry := range entries {
			if tlog.RecordHash(entry) != hashes[i] {
				return fmt.Errorf("entry %d is not the one in the tree", first+int64(i))
			}
		}
	}
	return nil
}

func checkClaims(directory string, verifier note.Verifier) error {
	paths, err := filepath.Glob(filepath.Join(directory, "claims", "*.tlog-proof"))
	if err != nil || len(paths) == 0 {
		return errors.New("no claims to check")
	}
	for _, path := range paths {
		proof, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		entry, err := os.ReadFile(strings.TrimSuffix(path, ".tlog-proof") + ".entry")
		if err != nil {
			return err
		}
		if err := checkClaim(entry, proof, verifier); err != nil {
			return err
		}
	}
	return nil
}

func checkClaim(entry, proof []byte, verifier note.Verifier) error {
	head, signed, _ := bytes.Cut(proof, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a proof file")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	hashes, err := parseHashes(lines[2:])
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(signed, verifier)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(tlog.RecordProof(hashes), tree.N, tree.Hash, index, tlog.RecordHash(entry))
}

func checkGrowth(directory string, tree tlog.Tree, verifier note.Verifier) error {
	signed, err := os.ReadFile(filepath.Join(directory, "claims", "old-checkpoint"))
	if err != nil {
		return err
	}
	old, err := openCheckpoint(signed, verifier)
	if err != nil {
		return err
	}
	proof, err := os.ReadFile(filepath.Join(directory, "claims", "consistency"))
	if err != nil {
		return err
	}
	hashes, err := parseHashes(strings.Fields(string(proof)))
	if err != nil {
		return err
	}
	return tlog.CheckTree(tlog.TreeProof(hashes), tree.N, tree.Hash, old.N, old.Hash)
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(lines))
	for i, line := range lines {
		data, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(data) != tlog.HashSize {
			return nil, errors.New("not a hash")
		}
		copy(hashes[i][:], data)
	}
	return hashes, nil
}

func readEntries(path string, width int) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(data) >= 2 {
		end := 2 + int(binary.BigEndian.Uint16(data))
		if end > len(data) {
			break
		}
		entries, data = append(entries, data[2:end]), data[end:]
	}
	if len(data) != 0 || len(entries) != width {
		return nil, errors.New("malformed entry bundle")
	}
	return entries, nil
}

// C2SP's paths leave out the height, and say "entries" where this package says "data".
func tilePath(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
}

func entriesPath(tile tlog.Tile) string {
	return strings.Replace(tilePath(tile), "tile/0/", "tile/entries/", 1)
}

type tiles string

func (directory tiles) Height() int { return height }

func (directory tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(wanted))
	for i, tile := range wanted {
		read, err := os.ReadFile(filepath.Join(string(directory), tilePath(tile)))
		if err != nil {
			return nil, err
		}
		data[i] = read
	}
	return data, nil
}

func (directory tiles) SaveTiles([]tlog.Tile, [][]byte) {}
