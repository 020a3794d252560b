//! What the runs of several applications share: who holds how many of what, and who comes next.
//!
//! A run that begins alone keeps its own count, and says so in its lease. Whoever begins beside it asks it to tell, and
//! is granted nothing until it has. Rows live as long as their run's lease: who finds that lease dead records that run
//! as interrupted, so that it can write no more, and takes what it held.

use launchway_model::{Answer, Ask, Claim, Exchange, Occupant, Shareable, Timestamp, Verdict};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::StoreError;
use crate::begin::interrupt;
use crate::journal::RunJournal;
use crate::lease::LeaseInfo;
use crate::runs::encode;
use crate::state::parsed;
use crate::store::Failed;

/// How long one who waits keeps his place without asking again, in milliseconds.
const TICKET_MS: u64 = 3_000;

impl RunJournal {
    /// Whether another run wants to know what this one holds.
    pub fn is_asked(&self) -> Result<bool, StoreError> {
        self.store().read(|transaction| {
            let asked = transaction
                .prepare_cached("SELECT asked FROM leases WHERE run = ?1")?
                .query_row([self.run().0 as i64], |row| row.get(0))
                .optional()?;
            // A lease that is lost is for the journal to notice.
            Ok(asked.unwrap_or(false))
        })
    }

    /// Keeps count of what this run tells, and answers what it asks, in the order of the questions.
    pub fn exchange(&self, exchange: &Exchange, now: Timestamp) -> Result<Vec<Answer>, StoreError> {
        self.note(|transaction, application| {
            if let Some(held) = &exchange.declare {
                transaction
                    .prepare_cached("UPDATE leases SET shares = TRUE WHERE application = ?1")?
                    .execute([application])?;
                held.iter().try_for_each(|(what, slots)| take(transaction, application, &key(what)?, *slots))?;
            }
            for (what, slots) in &exchange.release {
                give(transaction, application, &key(what)?, *slots)?;
            }
            if exchange.withdraw {
                forget_tickets(transaction, application)?;
            }
            if exchange.asks.is_empty() {
                return Ok(Vec::new());
            }
            let others = Others::find(transaction, application, now)?;
            let answer = |ask: &Ask| {
                let verdict = others.decide(transaction, application, &ask.claims, now)?;
                Ok(Answer { id: ask.id, verdict })
            };
            exchange.asks.iter().map(answer).collect()
        })
    }
}

/// Returns whether other runs are at work as one begins; they are asked to tell what they hold.
pub(crate) fn join(transaction: &Transaction<'_>, application: i64, now: Timestamp) -> Result<bool, Failed> {
    let others = Others::find(transaction, application, now)?;
    if !others.0.is_empty() {
        transaction
            .prepare_cached("UPDATE leases SET asked = TRUE WHERE application <> ?1 AND NOT shares")?
            .execute([application])?;
    }
    Ok(!others.0.is_empty())
}

/// Ends a lease, and with it all that its run held and waited for.
pub(crate) fn end(transaction: &Transaction<'_>, application: i64) -> Result<(), Failed> {
    transaction.prepare_cached("DELETE FROM leases WHERE application = ?1")?.execute([application])?;
    transaction.prepare_cached("DELETE FROM shares WHERE application = ?1")?.execute([application])?;
    forget_tickets(transaction, application)
}

/// The other runs that are at work.
struct Others(Vec<Other>);

struct Other {
    application: i64,
    shares: bool,
    occupant: Occupant,
}

impl Others {
    /// Finds them, and puts an end to those that are dead.
    fn find(transaction: &Transaction<'_>, application: i64, now: Timestamp) -> Result<Self, Failed> {
        let mut statement = transaction.prepare_cached(
            "SELECT l.application, l.shares, a.environment, a.application FROM leases l \
             JOIN applications a ON a.id = l.application WHERE l.application <> ?1 ORDER BY l.run",
        )?;
        let mut rows = statement.query([application])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let other: i64 = row.get(0)?;
            let Some(lease) = LeaseInfo::find(transaction, other)? else { continue };
            if !lease.is_live(now) {
                interrupt(transaction, other, &lease)?;
                continue;
            }
            let occupant = Occupant {
                environment: parsed("environment name", row.get(2)?)?,
                application: parsed("application name", row.get(3)?)?,
                run: lease.run,
                holder: lease.holder,
            };
            found.push(Other { application: other, shares: row.get(1)?, occupant });
        }
        Ok(Self(found))
    }

    fn named(&self, application: i64) -> Option<&Occupant> {
        self.0.iter().find(|other| other.application == application).map(|other| &other.occupant)
    }

    /// Grants all claims, or notes that somebody waits for them.
    fn decide(
        &self,
        transaction: &Transaction<'_>,
        application: i64,
        claims: &[Claim],
        now: Timestamp,
    ) -> Result<Verdict, Failed> {
        if let Some(silent) = self.0.iter().find(|other| !other.shares) {
            return Ok(Verdict::Unknown(silent.occupant.clone()));
        }
        let own: Option<i64> = transaction
            .prepare_cached("SELECT min(since) FROM tickets WHERE application = ?1 AND seen > ?2")?
            .query_row(params![application, oldest(now)], |row| row.get(0))?;
        let mut lacking = Vec::new();
        for claim in claims {
            if let Some(by) = self.in_the_way(transaction, application, own, claim, now)? {
                lacking.push((claim.what.clone(), by));
            }
        }
        if lacking.is_empty() {
            claims.iter().try_for_each(|claim| take(transaction, application, &key(&claim.what)?, 1))?;
            // Now it is the others' turn.
            forget_tickets(transaction, application)?;
            return Ok(Verdict::Granted);
        }
        // Who waits for several things queues for each of them, and at one age for all: were each to have its own, two
        // runs could each be first at what the other one lacks.
        let since = match own {
            Some(own) => own,
            None => transaction
                .prepare_cached("SELECT coalesce(max(since), 0) + 1 FROM tickets")?
                .query_row([], |row| row.get(0))?,
        };
        let mut queue = transaction.prepare_cached(
            "INSERT INTO tickets (resource, application, since, seen) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO UPDATE SET since = excluded.since, seen = excluded.seen",
        )?;
        for claim in claims {
            queue.execute(params![key(&claim.what)?, application, since, now.0 as i64])?;
        }
        Ok(Verdict::Lacking(lacking))
    }

    /// Returns who has, or is to have, what is claimed; none if one more can be had.
    fn in_the_way(
        &self,
        transaction: &Transaction<'_>,
        application: i64,
        own: Option<i64>,
        claim: &Claim,
        now: Timestamp,
    ) -> Result<Option<Occupant>, Failed> {
        let what = key(&claim.what)?;
        let mut taken = 0;
        let mut first = None;
        let mut count = |other: i64, slots: u64| {
            taken += slots;
            if other != application {
                first = first.or(Some(other));
            }
        };
        let mut statement = transaction
            .prepare_cached("SELECT application, slots FROM shares WHERE resource = ?1 ORDER BY application")?;
        let mut rows = statement.query([&what])?;
        while let Some(row) = rows.next()? {
            count(row.get(0)?, row.get::<_, i64>(1)? as u64);
        }
        // Those who asked before, and still do.
        let mut statement = transaction.prepare_cached(
            "SELECT application FROM tickets WHERE resource = ?1 AND application <> ?2 AND seen > ?3 \
             AND since < coalesce(?4, since + 1) ORDER BY since",
        )?;
        let mut rows = statement.query(params![what, application, oldest(now), own])?;
        while let Some(row) = rows.next()? {
            count(row.get(0)?, 1);
        }
        let by = first.and_then(|other| self.named(other)).cloned();
        Ok(by.filter(|_| taken >= u64::from(claim.limit)))
    }
}

/// Returns when a ticket must have been shown last to count.
fn oldest(now: Timestamp) -> i64 {
    now.0.saturating_sub(TICKET_MS) as i64
}

fn key(what: &Shareable) -> Result<String, StoreError> {
    encode("shared resource", what)
}

fn take(transaction: &Transaction<'_>, application: i64, what: &str, slots: u32) -> Result<(), Failed> {
    transaction
        .prepare_cached(
            "INSERT INTO shares (resource, application, slots) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO UPDATE SET slots = slots + excluded.slots",
        )?
        .execute(params![what, application, slots])?;
    Ok(())
}

fn give(transaction: &Transaction<'_>, application: i64, what: &str, slots: u32) -> Result<(), Failed> {
    let left: Option<i64> = transaction
        .prepare_cached(
            "UPDATE shares SET slots = slots - ?3 WHERE resource = ?1 AND application = ?2 RETURNING slots",
        )?
        .query_row(params![what, application, slots], |row| row.get(0))
        .optional()?;
    if left.is_some_and(|left| left <= 0) {
        transaction
            .prepare_cached("DELETE FROM shares WHERE resource = ?1 AND application = ?2")?
            .execute(params![what, application])?;
    }
    Ok(())
}

fn forget_tickets(transaction: &Transaction<'_>, application: i64) -> Result<(), Failed> {
    transaction.prepare_cached("DELETE FROM tickets WHERE application = ?1")?.execute([application])?;
    Ok(())
}
