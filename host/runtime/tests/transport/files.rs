//! Files are put in place whole or not at all, and only if they differ.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use launchway_model::{Artifact, Digest, Fault};
use launchway_runtime::{Blobs as _, FileOptions, FileType, Part, Source};

use crate::support::{SECRET, SECRET_VALUE, World, on_both, secret};

fn bytes(text: &str) -> Source {
    Source::Bytes(text.as_bytes().to_vec())
}

fn mode(bits: u32) -> FileOptions {
    FileOptions { mode: Some(bits), ..FileOptions::default() }
}

/// Nothing but the file itself may be there.
fn assert_clean(folder: &str, names: &[&str]) {
    let mut there: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort_unstable();
    assert_eq!(there, names);
}

on_both! {
    async fn a_file_is_written_once(world: World) {
        let folder = world.path("a b \u{fc}'\"\n-");
        fs::create_dir(&folder).unwrap();
        let path = format!("{folder}/-con f\n'\"$x");
        let effects = world.effects();
        let written = effects.put(bytes("one\n"), &path, mode(0o640)).await.unwrap();
        assert_eq!((written.changed, written.digest), (true, Digest::of(b"one\n")));
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        let inode = fs::metadata(&path).unwrap().ino();

        assert!(!effects.put(bytes("one\n"), &path, mode(0o640)).await.unwrap().changed);
        assert!(!effects.put(bytes("one\n"), &path, FileOptions::default()).await.unwrap().changed);
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);

        assert!(effects.put(bytes("one\n"), &path, mode(0o600)).await.unwrap().changed);
        assert_eq!((fs::metadata(&path).unwrap().mode() & 0o7777, fs::metadata(&path).unwrap().ino()), (0o600, inode));

        assert!(effects.put(bytes("two\n"), &path, FileOptions::default()).await.unwrap().changed);
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_ne!(fs::metadata(&path).unwrap().ino(), inode, "replaced, not written into");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600, "an existing file keeps its mode");
        assert_clean(&folder, &["-con f\n'\"$x"]);
        drop(effects);
        world.close().await;
    }

    async fn a_new_file_without_a_mode_follows_the_umask(world: World) {
        let path = world.path("new");
        world.effects().put(bytes(""), &path, FileOptions::default()).await.unwrap();
        let umask = u32::from_str_radix(world.sh("umask").await.trim(), 8).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o666 & !umask);
        world.close().await;
    }

    async fn a_link_is_replaced_and_not_followed(world: World) {
        let (folder, file) = (world.path("folder"), world.path("file"));
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "old").unwrap();
        for (name, goal) in [("to-file", &file), ("to-folder", &folder), ("to-nothing", &world.path("nothing"))] {
            let link = world.path(name);
            symlink(goal, &link).unwrap();
            assert!(world.effects().put(bytes("old"), &link, FileOptions::default()).await.unwrap().changed);
            assert!(fs::symlink_metadata(&link).unwrap().is_file(), "{name}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        assert_clean(&folder, &[]);
        world.close().await;
    }

    async fn what_a_killed_writer_left_is_swept(world: World) {
        let folder = world.path("it's a folder");
        fs::create_dir(&folder).unwrap();
        let path = format!("{folder}/file");
        let part = |path: &str| format!(".launchway.{}.0123456789", Digest::of(path.as_bytes()).short());
        let (own, of_another) = (part(&path), part(&format!("{folder}/other")));
        for name in [&own, &of_another] {
            fs::write(format!("{folder}/{name}"), "half of").unwrap();
        }
        assert!(world.effects().put(bytes("whole\n"), &path, FileOptions::default()).await.unwrap().changed);
        assert_clean(&folder, &[&of_another, "file"]);
        world.close().await;
    }

    async fn what_can_not_be_written_is_told(world: World) {
        let folder = world.path("folder");
        fs::create_dir(&folder).unwrap();
        let refusal = async |path: &str, options: FileOptions| {
            world.effects().put(bytes("x"), path, options).await.unwrap_err()
        };
        let failure = refusal(&folder, FileOptions::default()).await;
        assert!(failure.message.contains("is a folder"), "{failure:?}");
        let failure = refusal(&world.path("no/such/file"), FileOptions::default()).await;
        assert!(failure.message.contains("is not there") && failure.hint.is_some(), "{failure:?}");
        let nobody = FileOptions { owner: Some("no-such-user".into()), ..FileOptions::default() };
        let failure = refusal(&format!("{folder}/file"), nobody).await;
        assert!(failure.message.contains("`no-such-user`"), "{failure:?}");
        assert!(failure.detail.is_some());
        for path in ["", "a\0b"] {
            assert_eq!(refusal(path, FileOptions::default()).await.fault, Fault::Configuration);
        }
        assert_clean(&folder, &[]);
        world.close().await;
    }

    async fn large_artifacts_stream(world: World) {
        // More than any buffer on the way, and more than goes along unasked.
        let content: Vec<u8> = (0..12_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        fs::write(world.path("source"), &content).unwrap();
        let (digest, size) = world.blobs.insert(world.path("source").as_ref()).unwrap();
        let artifact = Artifact { name: "a".into(), file_name: "a.bin".into(), digest, size, has_secrets: false };
        world.artifacts.lock().unwrap().push(artifact.clone());
        let path = world.path("copy");
        let effects = world.effects();
        let written = effects.put(Source::Artifact(artifact.clone()), &path, FileOptions::default()).await.unwrap();
        assert_eq!((written.changed, written.digest), (true, digest));
        assert!(fs::read(&path).unwrap() == content);
        assert!(!effects.put(Source::Artifact(artifact.clone()), &path, FileOptions::default()).await.unwrap().changed);

        // Bytes that changed in the store do not get through.
        fs::write(world.blobs.0.join(digest.hex()), vec![7; content.len()]).unwrap();
        fs::write(&path, "old").unwrap();
        let failure = effects.put(Source::Artifact(artifact.clone()), &path, FileOptions::default()).await.unwrap_err();
        assert!(failure.message.contains("did not arrive whole"), "{failure:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        let others = Artifact { digest: Digest::of(b"other"), ..artifact };
        assert_eq!(effects.put(Source::Artifact(others), &path, FileOptions::default()).await.unwrap_err().fault, Fault::Plugin);
        drop(effects);
        world.close().await;
    }

    async fn secrets_are_filled_in_on_the_way(world: World) {
        let marked = format!("user=me\npassword=\u{2}secret:{SECRET}\u{3}\n");
        let parts = vec![Part::Text("user=me\npassword=".into()), secret(), Part::Text("\n".into())];
        let path = world.path("conf");
        let written = world.effects().put(Source::Text(parts), &path, mode(0o600)).await.unwrap();
        assert_eq!((written.changed, written.digest), (true, Digest::of(marked.as_bytes())));
        let wanted = format!("user=me\npassword={SECRET_VALUE}\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), wanted);

        fs::write(world.path("rendered"), &marked).unwrap();
        let (digest, size) = world.blobs.insert(world.path("rendered").as_ref()).unwrap();
        let artifact = Artifact { name: "c".into(), file_name: "c".into(), digest, size, has_secrets: true };
        world.artifacts.lock().unwrap().push(artifact.clone());
        let written = world.effects().put(Source::Artifact(artifact), &path, mode(0o600)).await.unwrap();
        assert_eq!((written.changed, written.digest), (false, digest), "the same content by another way");

        let read = world.effects().read(&path, 1000, None).await.unwrap().unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), "user=me\npassword=***\n");
        world.close().await;
    }

    async fn files_are_read_up_to_a_limit(world: World) {
        let path = world.path("-f \n'");
        fs::write(&path, b"\0\x01\xffabcdef\n").unwrap();
        let effects = world.effects();
        assert_eq!(effects.read(&path, 1000, None).await.unwrap().unwrap(), b"\0\x01\xffabcdef\n");
        assert_eq!(effects.read(&path, 4, None).await.unwrap().unwrap(), b"\0\x01\xffa");
        assert_eq!(effects.read(&world.path("none"), 4, None).await.unwrap(), None);
        assert_eq!(effects.read(&format!("{path}/none"), 4, None).await.unwrap(), None);
        let failure = effects.read(world.dir.path().to_str().unwrap(), 4, None).await.unwrap_err();
        assert!(failure.message.contains("is a folder"), "{failure:?}");
        let failure = effects.read("/dev/null", 4, None).await.unwrap_err();
        assert!(failure.message.contains("no regular file"), "{failure:?}");
        drop(effects);
        world.close().await;
    }

    async fn everything_on_a_target_can_be_looked_at(world: World) {
        let path = world.path("-f \n'");
        fs::write(&path, "content").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o4750)).unwrap();
        symlink("go\nal ", world.path("link")).unwrap();
        let effects = world.effects();
        let me = world.sh("id -un").await.trim().to_owned();
        let file = effects.stat(&path, None).await.unwrap().unwrap();
        assert_eq!((file.file_type, file.size, file.mode, file.owner), (FileType::File, 7, 0o4750, me));
        assert_eq!(file.digest, Some(Digest::of(b"content")));
        let link = effects.stat(&world.path("link"), None).await.unwrap().unwrap();
        assert_eq!((link.file_type, link.link.as_deref(), link.digest), (FileType::Link, Some("go\nal "), None));
        let folder = effects.stat(world.dir.path().to_str().unwrap(), None).await.unwrap().unwrap();
        assert_eq!((folder.file_type, folder.mode), (FileType::Directory, 0o755));
        assert_eq!(effects.stat("/dev/null", None).await.unwrap().unwrap().file_type, FileType::Other);
        assert_eq!(effects.stat(&world.path("none"), None).await.unwrap(), None);
        drop(effects);
        world.close().await;
    }
}
