//! Our notes, tiles and proofs beside those of crates that nobody here wrote.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "a test")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use counterfoil_format::Hash;
use counterfoil_format::hash::Use;
use counterfoil_format::key::{PublicKey, SignatureBytes};
use counterfoil_format::merkle::{
    self, CompactRange, Nodes, check_consistency, check_inclusion, prove_consistency, prove_inclusion,
};
use counterfoil_format::note::{Checkpoint, SignedNote, VerifierKey};
use counterfoil_format::part::{PartTag, commit_value};
use counterfoil_format::tile::{TILE_WIDTH, Tile};
use counterfoil_tests::rng::Rng;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ed25519_dalek::{Signer, SigningKey};
use sha2::Sha256;
use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};
use std::convert::Infallible;
use tlog_tiles::{HashReader, TileHashReader, TileReader};

/// Entries, and the complete subtrees over them: `levels[level][index]`.
struct Tree {
    entries: Vec<[u8; 33]>,
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    fn random(rng: &mut Rng, size: u64) -> Tree {
        let entry = |rng: &mut Rng| {
            let mut entry = [merkle::ENTRY_VERSION; 33];
            entry[1..].copy_from_slice(&rng.bytes::<32>());
            entry
        };
        let entries: Vec<_> = (0..size).map(|_| entry(rng)).collect();
        let mut levels = vec![entries.iter().map(|entry| merkle::leaf_hash(entry)).collect::<Vec<_>>()];
        while levels.last().unwrap().len() > 1 {
            let pairs = levels.last().unwrap().chunks_exact(2);
            levels.push(pairs.map(|pair| merkle::node_hash(&pair[0], &pair[1])).collect());
        }
        Tree { entries, levels }
    }

    fn root(&self, size: u64) -> Hash {
        merkle::root(self.levels[0][..usize::try_from(size).unwrap()].iter().copied())
    }

    /// The hashes of one of our tiles.
    fn tile(&self, tile: &Tile) -> Vec<Hash> {
        let first = usize::try_from(tile.index * TILE_WIDTH).unwrap();
        self.levels[usize::from(tile.level) * 8][first..first + usize::from(tile.width)].to_vec()
    }
}

impl Nodes for Tree {
    type Error = Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        Ok(self.levels[level as usize][usize::try_from(index).unwrap()])
    }
}

impl HashReader for Tree {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let read = |index: &u64| {
            let (level, number) = tlog_tiles::split_stored_hash_index(*index);
            tlog_tiles::Hash(self.levels[usize::from(level)][usize::try_from(number).unwrap()].0)
        };
        Ok(indexes.iter().map(read).collect())
    }
}

/// Serves our tiles to the other crate.
struct OurTiles<'a>(&'a Tree);

impl TileReader for OurTiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &tlog_tiles::Tile| {
            let width = u16::try_from(tile.width()).unwrap();
            let ours = Tile { level: tile.level(), index: tile.level_index(), width };
            self.0.tile(&ours).iter().flat_map(|hash| hash.0).collect()
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// Sizes where trees change their shape, and random ones.
fn sizes(rng: &mut Rng) -> Vec<u64> {
    let edges = [1, 2, 3, 255, 256, 257, 511, 512, 513, 1024];
    edges.into_iter().chain((0..30).map(|_| 1 + rng.below(2000))).collect()
}

fn seeded(seed: u64) -> Rng {
    println!("seed {seed}");
    Rng::new(seed)
}

fn theirs(hash: &Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(hash.0)
}

fn ours(hashes: Vec<tlog_tiles::Hash>) -> Vec<Hash> {
    hashes.into_iter().map(|hash| Hash(hash.0)).collect()
}

#[test]
fn trees_and_proofs_are_those_of_tlog_tiles() {
    let mut rng = seeded(0x7110);
    for size in sizes(&mut rng) {
        let tree = Tree::random(&mut rng, size);
        let entry = &tree.entries[rng.place(tree.entries.len())];
        assert_eq!(tlog_tiles::record_hash(entry).0, merkle::leaf_hash(entry).0);
        let root = tree.root(size);
        assert_eq!(tlog_tiles::tree_hash(size, &tree).unwrap().0, root.0, "the root of {size} leaves");
        for _ in 0..8 {
            let leaf = rng.below(size);
            let Ok(proof) = prove_inclusion(leaf, size, &tree);
            let other = tlog_tiles::prove_record(size, leaf, &tree).unwrap();
            tlog_tiles::check_record(
                &other,
                size,
                theirs(&root),
                leaf,
                theirs(&tree.levels[0][leaf as usize]),
            )
            .unwrap();
            assert_eq!(proof, ours(other), "leaf {leaf} of {size}");
            check_inclusion(leaf, &tree.levels[0][leaf as usize], size, &root, &proof).unwrap();

            let old = 1 + rng.below(size);
            let Ok(proof) = prove_consistency(old, size, &tree);
            let other = tlog_tiles::prove_tree(size, old, &tree).unwrap();
            tlog_tiles::check_tree(&other, size, theirs(&root), old, theirs(&tree.root(old))).unwrap();
            assert_eq!(proof, ours(other), "{old} leaves of {size}");
            check_consistency(old, &tree.root(old), size, &root, &proof).unwrap();
        }
    }
}

#[test]
fn tiles_are_those_of_tlog_tiles() {
    let mut rng = seeded(0x7111);
    for size in sizes(&mut rng) {
        let tree = Tree::random(&mut rng, size);
        for tile in tlog_tiles::Tile::new_tiles(8, 0, size) {
            let level = u32::from(tile.level()) * 8;
            let last = tile.level_index() * TILE_WIDTH + u64::from(tile.width()) - 1;
            let found = Tile::holding(level, last, size).unwrap();
            assert_eq!((found.level, found.index), (tile.level(), tile.level_index()));
            assert_eq!(u32::from(found.width), tile.width());
            // The other crate writes the height into the path, as Go's checksum database does; C2SP does not.
            assert_eq!(found.path().replacen("tile/", "tile/8/", 1), tile.path());
            let bytes: Vec<u8> = tree.tile(&found).iter().flat_map(|hash| hash.0).collect();
            assert_eq!(bytes, tile.read_data(&tree).unwrap());
        }
        let root = tree.root(size);
        let tiles = OurTiles(&tree);
        let reader = TileHashReader::new(size, theirs(&root), &tiles);
        for _ in 0..4 {
            let leaf = rng.below(size);
            let proof = tlog_tiles::prove_record(size, leaf, &reader).unwrap();
            check_inclusion(leaf, &tree.levels[0][leaf as usize], size, &root, &ours(proof)).unwrap();
            let level = (0..=u32::try_from(tree.levels.len() - 1).unwrap()).nth(rng.place(tree.levels.len()));
            let level = level.unwrap();
            let index = rng.below(size >> level);
            let tile = Tile::holding(level, index, size).unwrap();
            let Ok(node) = tree.node(level, index);
            assert_eq!(tile.node(&tree.tile(&tile), level, index), Some(node), "{level} {index} of {size}");
        }
    }
}

#[test]
fn far_tile_paths_are_those_of_tlog_tiles() {
    let mut rng = seeded(0x7112);
    for _ in 0..2000 {
        let index = rng.number() >> (8 + rng.below(56));
        let (level, width) =
            (u8::try_from(rng.below(8)).unwrap(), u16::try_from(1 + rng.below(256)).unwrap());
        let other = tlog_tiles::Tile::new(8, level, index, width.into(), false);
        let path = Tile { level, index, width }.path();
        assert_eq!(path.replacen("tile/", "tile/8/", 1), other.path());
    }
}

#[test]
fn trees_and_proofs_are_those_of_ct_merkle() {
    let mut rng = seeded(0xc7);
    for size in sizes(&mut rng) {
        let tree = Tree::random(&mut rng, size);
        let mut other = MemoryBackedTree::<Sha256, [u8; 33]>::new();
        tree.entries.iter().for_each(|entry| other.push(*entry));
        let root = tree.root(size);
        assert_eq!(other.root().as_bytes().as_slice(), root.0);
        let bytes = |proof: &[Hash]| proof.iter().flat_map(|hash| hash.0).collect::<Vec<_>>();
        for _ in 0..8 {
            let leaf = rng.below(size);
            let Ok(proof) = prove_inclusion(leaf, size, &tree);
            let made = other.prove_inclusion(leaf as usize);
            assert_eq!(made.as_bytes(), bytes(&proof), "leaf {leaf} of {size}");

            let old = 1 + rng.below(size);
            let Ok(proof) = prove_consistency(old, size, &tree);
            let made = other.prove_consistency((size - old) as usize);
            let same = made.as_bytes() == bytes(&proof);
            assert!(same, "{old} leaves of {size}");
        }
    }
}

#[test]
fn ranges_hashed_apart_give_the_root_of_ct_merkle() {
    let mut rng = seeded(0xc8);
    for size in sizes(&mut rng) {
        let tree = Tree::random(&mut rng, size);
        let mut joined = CompactRange::starting_at(0);
        while joined.end() < size {
            let end = joined.end() + 1 + rng.below(size - joined.end());
            let mut piece = CompactRange::starting_at(joined.end());
            (joined.end()..end).for_each(|leaf| piece.push(tree.levels[0][leaf as usize]));
            assert!(joined.join(&piece));
        }
        assert_eq!(joined.root(), Some(tree.root(size)));
    }
}

/// A signing key, our verifier key of it, and the other crate's signer from the same seed.
fn keys(rng: &mut Rng, name: &str) -> (SigningKey, VerifierKey, StandardSigner) {
    let seed = rng.bytes::<32>();
    let signing = SigningKey::from_bytes(&seed);
    let key = PublicKey::enrol(&signing.verifying_key().to_bytes()).unwrap();
    let verifier = VerifierKey { name: name.to_owned(), key };
    let secret = BASE64.encode([&[1u8][..], &seed].concat());
    let id = u32::from_be_bytes(verifier.id());
    let signer = StandardSigner::new(&format!("PRIVATE+KEY+{name}+{id:08x}+{secret}")).unwrap();
    (signing, verifier, signer)
}

#[test]
fn notes_are_those_of_signed_note() {
    let mut rng = seeded(0x5e);
    for round in 0..40 {
        let name = format!("example.com/shop-{round}");
        let (signing, verifier, signer) = keys(&mut rng, &name);
        let other = StandardVerifier::new(&verifier.to_string()).unwrap();
        let known = VerifierList::new(vec![Box::new(other)]);
        let size = rng.number() >> rng.below(64);
        let checkpoint = Checkpoint { origin: name.clone(), size, root: Hash(rng.bytes()) };

        let signature = SignatureBytes(signing.sign(checkpoint.text().as_bytes()).to_bytes());
        let note = SignedNote::new(checkpoint.text(), &verifier, &signature).to_string();
        let read = Note::from_bytes(note.as_bytes()).unwrap();
        let (good, unknown) = read.verify(&known).unwrap();
        assert_eq!((good.len(), unknown.len()), (1, 0));
        assert_eq!(read.text(), checkpoint.text().as_bytes());
        assert_eq!(read.to_bytes(), note.as_bytes());
        let parsed = tlog_tiles::Checkpoint::from_bytes(read.text()).unwrap();
        assert_eq!((parsed.origin(), parsed.size(), parsed.hash().0), (&*name, size, checkpoint.root.0));

        let mut made = Note::new(checkpoint.text().as_bytes(), &[]).unwrap();
        let (_, stranger, witness) = keys(&mut rng, "witness.example/w1");
        made.add_sigs(&[&witness, &signer]).unwrap();
        let ours = SignedNote::parse(&made.to_bytes()).unwrap();
        assert_eq!(ours.signatures.len(), 2);
        ours.verify(&verifier).unwrap();
        ours.verify(&stranger).unwrap();
        assert_eq!(ours.to_string().as_bytes(), made.to_bytes());
        assert_eq!(Checkpoint::parse(&ours.text).unwrap(), checkpoint);
    }
}

/// Both readers say the same of a note that was damaged anywhere; ours may be stricter, never laxer.
#[test]
fn damaged_notes_are_refused_by_both() {
    let mut rng = seeded(0x5f);
    let (signing, verifier, _) = keys(&mut rng, "example.com/shop");
    let checkpoint = Checkpoint { origin: "example.com/shop".into(), size: 77, root: Hash(rng.bytes()) };
    let signature = SignatureBytes(signing.sign(checkpoint.text().as_bytes()).to_bytes());
    let note = SignedNote::new(checkpoint.text(), &verifier, &signature).to_string().into_bytes();
    for at in 0..note.len() {
        for mask in [1, 0x20, 0x80] {
            let mut damaged = note.clone();
            damaged[at] ^= mask;
            let other = StandardVerifier::new(&verifier.to_string()).unwrap();
            let known = VerifierList::new(vec![Box::new(other)]);
            let theirs = Note::from_bytes(&damaged).is_ok_and(|note| note.verify(&known).is_ok());
            let ours = SignedNote::parse(&damaged).is_ok_and(|note| note.verify(&verifier).is_ok());
            assert!(!ours, "byte {at} ^ {mask:#x} is accepted");
            assert!(!theirs, "byte {at} ^ {mask:#x} is accepted by the other crate");
        }
    }
}

#[test]
fn verifier_keys_are_those_of_signed_note() {
    let mut rng = seeded(0x60);
    for _ in 0..40 {
        let (_, verifier, _) = keys(&mut rng, "example.com/shop");
        let text = verifier.to_string();
        assert_eq!(VerifierKey::parse(&text).unwrap(), verifier);
        assert!(StandardVerifier::new(&text).is_ok());
        let tagged = [&[1u8][..], verifier.key.as_bytes()].concat();
        assert_eq!(u32::from_be_bytes(verifier.id()), signed_note::key_id(&verifier.name, &tagged));
        let mut digits = text.clone().into_bytes();
        let at = rng.place(digits.len());
        digits[at] = if digits[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(digits).unwrap();
        assert!(VerifierKey::parse(&changed).is_err(), "{changed}");
    }
}

/// What `printf ... | b3sum --derive-key "<context>"` prints is what we commit to.
#[test]
fn a_commitment_is_what_stock_b3sum_derives() {
    let (salt, content) = ([7; 16], b"content".as_slice());
    let part = [&salt[..], &[PartTag::Context as u8], content].concat();
    let expected = blake3::derive_key("counterfoil 2026-11-23 part v1", &part);
    assert_eq!(PartTag::Context.commit(&salt, content).0, expected);
    let value = [&salt[..], content].concat();
    let expected = blake3::derive_key("counterfoil 2026-11-23 value v1", &value);
    assert_eq!(commit_value(&salt, content).0, expected);
    assert_eq!(Use::Value.context(), "counterfoil 2026-11-23 value v1");
}
