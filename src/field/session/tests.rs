use std::sync::Arc;

use super::*;
use crate::field::publication::Publication;

fn status(state: BoxState) -> BoxStatus {
    BoxStatus {
        box_name: "b1".into(),
        state,
        edition: 3,
        queue: 0,
        wait_s: 0,
        session: 6,
        version: "0.1.0".into(),
    }
}

/// A session with a time that the test moves.
struct Table {
    session: Session,
    now: Instant,
}

impl Table {
    fn new() -> Self {
        let now = Instant::now();
        Table {
            session: Session::new("s".into(), status(BoxState::Ready), 4_096, 42, now),
            now,
        }
    }

    fn connected() -> Self {
        let mut table = Table::new();
        table.put(Input::Tick);
        table.put(connack(true, 20));
        table.put(Input::Subscribed(Ok(())));
        table.settle();
        table
    }

    fn put(&mut self, input: Input) -> Vec<Action> {
        self.session.handle(input, self.now)
    }

    fn after(&mut self, wait: Duration) -> Vec<Action> {
        self.now += wait;
        self.put(Input::Tick)
    }

    /// The broker takes everything that is under way; gives the messages' numbers in order.
    fn settle(&mut self) -> Vec<u64> {
        let mut delivered = Vec::new();
        let mut packet = 100;
        while !self.session.flying.is_empty() {
            packet += 1;
            let mut actions = self.put(Input::Sent(packet));
            actions.extend(self.put(Input::Acknowledged(packet, Acknowledgement::Taken)));
            delivered.extend(actions.iter().filter_map(|action| match action {
                Action::Delivered(id) => Some(*id),
                _ => None,
            }));
        }
        delivered
    }

    fn lose(&mut self) -> Vec<Action> {
        self.put(lost(false))
    }

    /// Waits until the session connects again.
    fn reconnect(&mut self) -> Vec<Action> {
        self.now = self.session.due().expect("a wait");
        let actions = self.put(Input::Tick);
        assert!(
            matches!(actions[..], [Action::Connect { .. }]),
            "{actions:?}"
        );
        self.put(connack(true, 20))
    }
}

fn connack(session_present: bool, receive_max: u16) -> Input {
    Input::Connected {
        session_present,
        receive_max,
        max_packet: None,
    }
}

fn lost(oversize: bool) -> Input {
    Input::Lost {
        why: "cut".into(),
        oversize,
    }
}

fn message(id: u64, keep: bool) -> Input {
    let publication = Publication {
        topic: format!("t/{id}"),
        keep,
        ..Publication::default()
    };
    Input::Publish(id, Arc::new(publication))
}

fn topics(actions: &[Action]) -> Vec<&str> {
    let sent = actions.iter().filter_map(|action| match action {
        Action::Send(publication) => Some(publication.topic.as_str()),
        _ => None,
    });
    sent.collect()
}

fn said(actions: &[Action]) -> Vec<BoxStatus> {
    let sent = actions.iter().filter_map(|action| match action {
        Action::Send(publication) if publication.topic == "s" => {
            Some(serde_json::from_slice(&publication.payload).expect("a status"))
        }
        _ => None,
    });
    sent.collect()
}

#[test]
fn every_connection_has_a_new_number_subscribes_and_says_its_state() {
    let mut table = Table::new();
    let connect = |session| Action::Connect {
        session,
        fresh: false,
    };
    assert_eq!(table.put(Input::Tick), [connect(7)]);
    let actions = table.put(connack(false, 20));
    assert_eq!(actions[0], Action::Subscribe);
    assert_eq!(said(&actions)[0].session, 7);
    assert_eq!(table.put(Input::Subscribed(Ok(()))), [Action::Up]);
    table.lose();
    let actions = table.reconnect();
    assert_eq!(actions[..2], [Action::ForgetUnseen, Action::Subscribe]);
    assert_eq!(said(&actions)[0].session, 8);
}

#[test]
fn waits_double_up_to_a_ceiling_and_are_spread() {
    let mut table = Table::new();
    table.put(Input::Tick);
    let mut waits = Vec::new();
    for _ in 0..12 {
        table.lose();
        let due = table.session.due().expect("a wait");
        waits.push(due - table.now);
        assert_eq!(table.put(Input::Tick), [], "too early");
        table.now = due;
        assert_eq!(table.put(Input::Tick).len(), 1);
    }
    for (tries, wait) in waits.iter().enumerate() {
        let full = Duration::from_millis(500 << tries).min(Duration::from_secs(60));
        assert!((full / 2..=full).contains(wait), "try {tries}: {wait:?}");
    }
    assert_ne!(waits[10], waits[11]);
}

#[test]
fn a_good_connection_resets_the_wait_a_short_one_does_not() {
    let mut table = Table::new();
    table.put(Input::Tick);
    for _ in 0..8 {
        table.lose();
        table.reconnect();
    }
    table.lose();
    assert!(table.session.due().expect("a wait") - table.now > Duration::from_secs(20));
    table.reconnect();
    table.put(Input::Subscribed(Ok(())));
    table.after(STABLE);
    table.lose();
    assert!(table.session.due().expect("a wait") - table.now <= Duration::from_millis(500));
}

#[test]
fn a_broker_that_does_not_confirm_the_subscription_is_left() {
    let mut table = Table::new();
    table.put(Input::Tick);
    table.put(connack(false, 20));
    assert_eq!(table.after(SUBSCRIBE_WITHIN - Duration::from_millis(1)), []);
    let actions = table.after(Duration::from_millis(1));
    assert!(
        matches!(actions[..], [Action::Drop, Action::Down(_)]),
        "{actions:?}"
    );
    let mut table = Table::new();
    table.put(Input::Tick);
    table.put(connack(false, 20));
    let actions = table.put(Input::Subscribed(Err("not authorised".into())));
    assert_eq!(
        actions,
        [Action::Drop, Action::Down("not authorised".into())]
    );
}

#[test]
fn what_was_not_acknowledged_is_sent_again_in_its_order() {
    let mut table = Table::connected();
    for id in 0..5 {
        table.put(message(id, true));
        table.put(Input::Sent(u16::try_from(id).expect("small") + 1));
    }
    let taken = table.put(Input::Acknowledged(2, Acknowledgement::Taken));
    assert_eq!(taken, [Action::Delivered(1)]);
    table.lose();
    assert_eq!(table.put(message(5, true)), []);
    let actions = table.reconnect();
    assert_eq!(topics(&actions), ["s", "t/0", "t/2", "t/3", "t/4", "t/5"]);
    assert_eq!(table.settle(), [0, 2, 3, 4, 5]);
}

#[test]
fn an_acknowledgement_of_an_earlier_connection_delivers_nothing() {
    let mut table = Table::connected();
    table.put(message(1, true));
    table.put(Input::Sent(9));
    table.lose();
    table.reconnect();
    assert_eq!(
        table.put(Input::Acknowledged(9, Acknowledgement::Taken)),
        []
    );
}

#[test]
fn no_more_than_the_window_is_under_way() {
    let mut table = Table::new();
    table.put(Input::Tick);
    table.put(connack(false, 3));
    let mut sent = 1;
    for id in 0..400 {
        if !table.session.has_room() {
            break;
        }
        sent += topics(&table.put(message(id, true))).len();
    }
    assert_eq!(sent, 3);
    assert_eq!(table.session.outbox.len(), OUTBOX);
    let in_order: Vec<u64> = (0..258).collect();
    assert_eq!(table.settle(), in_order);
}

#[test]
fn a_part_does_not_wait_for_a_connection() {
    let mut table = Table::connected();
    table.put(message(1, false));
    let actions = table.lose();
    assert!(actions.contains(&Action::NotDelivered(1, NotDelivered::Dropped)));
    assert_eq!(
        table.put(message(2, false)),
        [Action::NotDelivered(2, NotDelivered::Dropped)]
    );
}

#[test]
fn a_refused_publication_is_tried_again_only_where_that_may_help() {
    let refuse = |table: &mut Table, answer: Acknowledgement| {
        table.put(Input::Sent(5));
        table.put(Input::Acknowledged(5, answer))
    };
    let mut table = Table::connected();
    table.put(message(1, true));
    let denied = refuse(&mut table, Acknowledgement::Refused("no".into()));
    assert_eq!(
        denied,
        [Action::NotDelivered(1, NotDelivered::Refused("no".into()))]
    );

    table.put(message(2, true));
    let full = || Acknowledgement::RefusedForNow("full".into());
    assert_eq!(topics(&refuse(&mut table, full())), ["t/2"]);
    assert_eq!(topics(&refuse(&mut table, full())), ["t/2"]);
    let given_up = refuse(&mut table, full());
    assert_eq!(
        given_up,
        [Action::NotDelivered(
            2,
            NotDelivered::Refused("full".into())
        )]
    );
}

#[test]
fn a_packet_above_the_brokers_limit_is_never_sent() {
    let mut table = Table::new();
    table.put(Input::Tick);
    table.put(Input::Connected {
        session_present: false,
        receive_max: 20,
        max_packet: Some(1_000),
    });
    let large = Publication {
        payload: vec![0; 1_000],
        keep: true,
        ..Publication::default()
    };
    let actions = table.put(Input::Publish(1, Arc::new(large)));
    assert!(
        matches!(
            actions[..],
            [Action::NotDelivered(1, NotDelivered::TooLarge { .. })]
        ),
        "{actions:?}"
    );
}

#[test]
fn packets_are_acknowledged_in_the_order_in_which_they_came() {
    let mut table = Table::connected();
    let connection = table.session.number();
    for packet in [11, 12, 13] {
        table.put(Input::Received(packet));
    }
    assert_eq!(table.put(Input::Ack(connection, 12)), []);
    assert_eq!(
        table.put(Input::Ack(connection, 11)),
        [Action::Acknowledge(11), Action::Acknowledge(12)]
    );
    table.lose();
    table.reconnect();
    table.put(Input::Received(13));
    assert_eq!(
        table.put(Input::Ack(connection, 13)),
        [],
        "of the old connection"
    );
    assert_eq!(
        table.put(Input::Ack(connection + 1, 13)),
        [Action::Acknowledge(13)]
    );
}

#[test]
fn a_broker_that_keeps_to_no_receive_maximum_is_left_late() {
    let mut table = Table::connected();
    for packet in 0..UNACKNOWLEDGED {
        let packet = u16::try_from(packet).expect("small") + 1;
        assert_eq!(table.put(Input::Received(packet)), []);
    }
    let actions = table.put(Input::Received(u16::MAX));
    assert_eq!(actions[0], Action::Drop);
}

#[test]
fn passed_over_packets_are_fetched_by_a_new_connection_soon() {
    let mut table = Table::connected();
    let actions = table.put(Input::Renew);
    assert!(
        matches!(actions[..], [Action::Drop, Action::Down(_)]),
        "{actions:?}"
    );
    assert!(table.session.due().expect("a wait") - table.now <= Duration::from_millis(500));
    assert_eq!(table.put(Input::Renew), [], "not connected");
}

#[test]
fn a_packet_that_ends_every_connection_is_given_up_with_its_session() {
    let mut table = Table::connected();
    let mut fresh = Vec::new();
    for _ in 0..4 {
        table.put(lost(true));
        table.now = table.session.due().expect("a wait");
        for action in table.put(Input::Tick) {
            if let Action::Connect { fresh: is, .. } = action {
                fresh.push(is);
            }
        }
        table.put(connack(true, 20));
    }
    assert_eq!(fresh, [false, false, true, true]);
    table.lose();
    table.now = table.session.due().expect("a wait");
    let actions = table.put(Input::Tick);
    assert!(matches!(
        actions[..],
        [Action::Connect { fresh: false, .. }]
    ));
}

#[test]
fn a_late_will_of_an_earlier_connection_is_overwritten() {
    let mut table = Table::connected();
    let mut held = status(BoxState::Gone);
    held.session = table.session.number() - 1;
    let again = said(&table.put(Input::OwnStatus(held.clone())));
    assert_eq!((again[0].state, again[0].session), (BoxState::Ready, 7));
    held.session = 7;
    assert_eq!(table.put(Input::OwnStatus(held)), []);
    let own = said(&table.put(Input::Status(status(BoxState::Degraded))));
    assert_eq!(table.put(Input::OwnStatus(own[0].clone())), []);
}

#[test]
fn stopping_sends_what_waits_then_gone_then_takes_leave() {
    let mut table = Table::connected();
    table.put(message(1, true));
    assert_eq!(table.put(Input::Stop), []);
    table.put(Input::Sent(1));
    let actions = table.put(Input::Acknowledged(1, Acknowledgement::Taken));
    assert_eq!(actions[0], Action::Delivered(1));
    assert_eq!(said(&actions)[0].state, BoxState::Gone);
    table.put(Input::Sent(2));
    let actions = table.put(Input::Acknowledged(2, Acknowledgement::Taken));
    assert_eq!(actions, [Action::Disconnect, Action::Finished]);
    assert_eq!(table.session.due(), None);
}

#[test]
fn stopping_ends_in_time_when_the_broker_is_silent() {
    let mut table = Table::connected();
    for id in 0..40 {
        table.put(message(id, true));
    }
    table.put(Input::Stop);
    table.after(DRAIN_WITHIN);
    let actions = table.after(GOODBYE_WITHIN);
    assert_eq!(actions[0], Action::Drop, "so that the will is published");
    assert_eq!(actions.last(), Some(&Action::Finished));
    let stopped =
        |action: &&Action| matches!(action, Action::NotDelivered(_, NotDelivered::Stopped));
    assert_eq!(actions.iter().filter(stopped).count(), 16);
}

#[test]
fn stopping_without_a_connection_ends_at_once() {
    let mut table = Table::connected();
    table.lose();
    table.put(message(1, true));
    assert_eq!(
        table.put(Input::Stop),
        [
            Action::NotDelivered(1, NotDelivered::Stopped),
            Action::Finished
        ]
    );
}
