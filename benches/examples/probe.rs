use counterfoil_benches::shop::{Shop, submission};
use std::time::Instant;
fn main() {
    let rows: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let per: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let shop = Shop::begin(&dir.path().join("l")).unwrap();
    let t = Instant::now();
    let mut first = 0;
    let (mut tb, mut ts) = (0.0, 0.0);
    while first < rows { let a=Instant::now(); let s = shop.submission(first, per).unwrap(); let b=Instant::now(); shop.ledger.submit(s).unwrap(); tb += (b-a).as_secs_f64(); ts += b.elapsed().as_secs_f64(); first += per; }
    println!("{} rows/s, build {tb:.2} submit {ts:.2}", rows as f64 / t.elapsed().as_secs_f64());
    // pipelined: two threads
    let t = Instant::now();
    let id = shop.ledger.ledger_id();
    std::thread::scope(|s| { for k in 0..2u64 { let shop=&shop; s.spawn(move || { let mut f = rows + k*per; while f < 2*rows { let x = submission(&shop.executor, id, f, per).unwrap(); shop.ledger.submit(x).unwrap(); f += 2*per; } }); } });
    println!("2 callers {} rows/s", rows as f64 / t.elapsed().as_secs_f64());
    let size = std::fs::read_dir(dir.path().join("l/log")).unwrap().map(|e| { let e=e.unwrap(); let m=e.metadata().unwrap().len(); (e.file_name(), m)}).collect::<Vec<_>>();
    println!("{size:?}");
    let t = Instant::now(); shop.ledger.close().unwrap(); println!("close {:?}", t.elapsed());
    let raw = { let bytes = vec![0xa5u8; (rows*600) as usize]; let t=Instant::now(); let mut f = std::fs::File::create(dir.path().join("raw")).unwrap(); for c in bytes.chunks(600*per as usize) { std::io::Write::write_all(&mut f, c).unwrap(); } f.sync_all().unwrap(); rows as f64 / t.elapsed().as_secs_f64() };
    println!("raw {raw} rows/s");
}
