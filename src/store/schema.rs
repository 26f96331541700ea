//! The tables of `migrations/`, as Diesel sees them. Both engines share this one description.

diesel::table! {
    network_state (id) {
        id -> BigInt,
        config_version -> BigInt,
        min_binary -> BigInt,
        demo -> Bool,
    }
}

diesel::table! {
    id_blocks (name) {
        name -> Text,
        next_id -> BigInt,
    }
}

diesel::table! {
    units (id) {
        id -> BigInt,
        code -> Text,
        name -> Text,
        kind -> Text,
        parent_id -> Nullable<BigInt>,
        path -> Text,
        active -> Bool,
        lends -> Bool,
        pickup_point -> Bool,
        adult_only -> Bool,
        always_open -> Bool,
        latitude -> Nullable<Double>,
        longitude -> Nullable<Double>,
        return_policy -> Nullable<Text>,
        float_cap -> Nullable<Integer>,
        mobile -> Bool,
        stops_version -> BigInt,
    }
}

diesel::table! {
    unit_hours (unit_id, weekday, opens_minute) {
        unit_id -> BigInt,
        weekday -> Integer,
        opens_minute -> Integer,
        closes_minute -> Integer,
    }
}

diesel::table! {
    unit_closed_days (id) {
        id -> BigInt,
        unit_id -> BigInt,
        first_day -> Text,
        last_day -> Text,
        reason -> Text,
    }
}

diesel::table! {
    item_types (id) {
        id -> BigInt,
        code -> Text,
        parent_id -> Nullable<BigInt>,
        name_zh -> Text,
        name_en -> Text,
    }
}

diesel::table! {
    reader_categories (id) {
        id -> BigInt,
        code -> Text,
        name_zh -> Text,
        name_en -> Text,
        reading_only -> Bool,
        child -> Bool,
        institutional -> Bool,
        min_age_years -> Nullable<Integer>,
        max_age_years -> Nullable<Integer>,
    }
}

diesel::table! {
    collections (id) {
        id -> BigInt,
        unit_id -> BigInt,
        code -> Text,
        name -> Text,
        return_policy -> Text,
        float_cap -> Nullable<Integer>,
        as_unit -> Bool,
    }
}

diesel::table! {
    unit_membership (id) {
        id -> BigInt,
        unit_id -> BigInt,
        item_type_id -> Nullable<BigInt>,
        lend_away -> Bool,
        return_away -> Bool,
        readers_away -> Bool,
    }
}

diesel::table! {
    rule_sets (version) {
        version -> BigInt,
        effective_from -> BigInt,
        source -> Text,
        published_at -> BigInt,
        unit_id -> Nullable<BigInt>,
        note -> Text,
        withdrawn_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    rule_drafts (id) {
        id -> BigInt,
        unit_id -> Nullable<BigInt>,
        base_version -> BigInt,
        source -> Text,
        note -> Text,
        revision -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    bibs (id) {
        id -> BigInt,
        control_number -> Nullable<Text>,
        format -> Text,
        container -> Text,
        encoding -> Text,
        marc -> Binary,
        title -> Text,
        authors -> Text,
        publisher -> Nullable<Text>,
        publish_year -> Nullable<Integer>,
        isbn -> Nullable<Text>,
        clc_class -> Nullable<Text>,
        language -> Nullable<Text>,
        search_text -> Text,
        open_holds -> Integer,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
        changed_by -> Nullable<BigInt>,
        merged_into -> Nullable<BigInt>,
    }
}

diesel::table! {
    bib_versions (bib_id, version) {
        bib_id -> BigInt,
        version -> BigInt,
        container -> Text,
        encoding -> Text,
        marc -> Binary,
        staff_id -> Nullable<BigInt>,
        made_at -> BigInt,
    }
}

diesel::table! {
    bib_isbns (isbn, bib_id) {
        isbn -> Text,
        bib_id -> BigInt,
    }
}

diesel::table! {
    items (id) {
        id -> BigInt,
        bib_id -> BigInt,
        barcode -> Text,
        rfid_tag -> Nullable<Text>,
        owner_unit_id -> BigInt,
        home_unit_id -> BigInt,
        current_unit_id -> BigInt,
        collection_id -> Nullable<BigInt>,
        shelf_location -> Nullable<Text>,
        call_number -> Nullable<Text>,
        item_type_id -> BigInt,
        price_fen -> Nullable<BigInt>,
        status -> Text,
        not_for_loan -> Bool,
        min_age_years -> Nullable<Integer>,
        for_children -> Bool,
        alert_note -> Nullable<Text>,
        parts -> Integer,
        last_event_at -> BigInt,
        created_at -> BigInt,
        volume -> Nullable<Text>,
        clear_number -> Nullable<Integer>,
        clear_since -> Nullable<BigInt>,
        deposit_unit_id -> Nullable<BigInt>,
        lending -> Text,
        bound_into_item_id -> Nullable<BigInt>,
        size -> Nullable<Text>,
    }
}

diesel::table! {
    readers (id) {
        id -> BigInt,
        name -> Text,
        category_id -> BigInt,
        home_unit_id -> BigInt,
        status -> Text,
        barred -> Bool,
        block_reason -> Nullable<Text>,
        block_until -> Nullable<BigInt>,
        birth_date -> Nullable<Text>,
        credit_band -> Text,
        debt_fen -> BigInt,
        note -> Nullable<Text>,
        pin_hash -> Nullable<Text>,
        open_holds -> Integer,
        created_at -> BigInt,
        merged_into -> Nullable<BigInt>,
        credit_balance -> BigInt,
        credit_entries -> BigInt,
        admitted_by -> Nullable<Text>,
        erased_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    cards (id) {
        id -> BigInt,
        number -> Text,
        reader_id -> BigInt,
        kind -> Text,
        status -> Text,
        expires_on -> Nullable<Text>,
        shown -> Nullable<Text>,
        key_id -> Nullable<Text>,
        issuer -> Nullable<Text>,
        holder_name -> Nullable<Text>,
        replaced_by -> Nullable<BigInt>,
        issued_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        tokens_void_until -> Nullable<BigInt>,
    }
}

diesel::table! {
    reader_identities (id) {
        id -> BigInt,
        reader_id -> BigInt,
        kind -> Text,
        key_id -> Text,
        look_up -> Text,
        sealed -> Binary,
        tail -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    card_sessions (nonce) {
        nonce -> Text,
        card_id -> BigInt,
        client -> Text,
        opened_at -> BigInt,
        used_at -> BigInt,
    }
}

diesel::table! {
    reader_merges (id) {
        id -> BigInt,
        survivor_id -> BigInt,
        duplicate_id -> BigInt,
        reason -> Text,
        unit_id -> BigInt,
        staff_id -> Nullable<BigInt>,
        merged_at -> BigInt,
        open_loans -> BigInt,
        closed_loans -> BigInt,
        holds -> BigInt,
        holds_cancelled -> BigInt,
        cards -> BigInt,
        debt_fen -> BigInt,
    }
}

diesel::table! {
    card_revocations (seq) {
        seq -> BigInt,
        card_id -> BigInt,
        void_until -> BigInt,
        made_at -> BigInt,
    }
}

diesel::table! {
    guardianships (id) {
        id -> BigInt,
        guardian_reader_id -> BigInt,
        ward_reader_id -> BigInt,
        relation -> Text,
        may_act -> Bool,
        consent_form -> Nullable<Text>,
        consented_on -> Nullable<Text>,
        started_at -> BigInt,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    card_revocation_numbers (id) {
        id -> Integer,
        last_seq -> BigInt,
    }
}

diesel::table! {
    staff (id) {
        id -> BigInt,
        username -> Text,
        name -> Text,
        password_hash -> Text,
        active -> Bool,
        demo -> Bool,
        created_at -> BigInt,
    }
}

diesel::table! {
    staff_roles (staff_id, role, unit_id) {
        staff_id -> BigInt,
        role -> Text,
        unit_id -> BigInt,
    }
}

diesel::table! {
    devices (id) {
        id -> BigInt,
        code -> Text,
        unit_id -> BigInt,
        kind -> Text,
        secret_hash -> Text,
        active -> Bool,        name -> Text,
        capabilities -> Text,
        registered_at -> Nullable<BigInt>,
        approved_at -> Nullable<BigInt>,
        retired_at -> Nullable<BigInt>,
        old_secret_hash -> Nullable<Text>,
        old_secret_until -> Nullable<BigInt>,
        configuration_version -> BigInt,
    }
}

diesel::table! {
    refresh_tokens (id) {
        id -> BigInt,
        family -> BigInt,
        audience -> Text,
        subject_id -> BigInt,
        unit_id -> Nullable<BigInt>,
        token_hash -> Binary,
        issued_at -> BigInt,
        expires_at -> BigInt,
        used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// Failed log-ins by scope.
    log_in_tallies (scope) {
        scope -> Binary,
        failures -> BigInt,
        failed_at -> Nullable<BigInt>,
        succeeded_at -> Nullable<BigInt>,
        forget_at -> BigInt,
    }
}

diesel::table! {
    loans (id) {
        id -> BigInt,
        item_id -> BigInt,
        bib_id -> BigInt,
        reader_id -> Nullable<BigInt>,
        card_id -> Nullable<BigInt>,
        unit_id -> BigInt,
        owner_unit_id -> BigInt,
        item_type_id -> BigInt,
        category_id -> BigInt,
        age_band -> Text,
        channel -> Text,
        device_id -> Nullable<BigInt>,
        rule_id -> BigInt,
        rules_version -> BigInt,
        filled_hold_id -> Nullable<BigInt>,
        loaned_at -> BigInt,
        due_at -> BigInt,
        due_by_hand -> Bool,
        renewals -> Integer,
        closed_at -> Nullable<BigInt>,
        closed_how -> Nullable<Text>,
        return_unit_id -> Nullable<BigInt>,
        claimed_returned_at -> Nullable<BigInt>,
        recalled_at -> Nullable<BigInt>,
        overdue_since -> Nullable<BigInt>,
        auto_renewals -> Integer,
        auto_refused_due_at -> Nullable<BigInt>,
        auto_refusals -> Nullable<Text>,
        reading_room -> Bool,
    }
}

diesel::table! {
    holds (id) {
        id -> BigInt,
        bib_id -> BigInt,
        item_id -> Nullable<BigInt>,
        reader_id -> Nullable<BigInt>,
        pickup_unit_id -> BigInt,
        priority -> Integer,
        placed_at -> BigInt,
        not_before -> Nullable<Text>,
        wanted_until -> Nullable<Text>,
        captured_item_id -> Nullable<BigInt>,
        captured_at -> Nullable<BigInt>,
        shelf_number -> Nullable<Integer>,
        shelf_until -> Nullable<Text>,
        closed_at -> Nullable<BigInt>,
        closed_how -> Nullable<Text>,
        replaced_by -> Nullable<BigInt>,
        volume -> Nullable<Text>,
        suspended -> Bool,
        queue_rank -> BigInt,
        delivery_request_id -> Nullable<BigInt>,
        waives_home_only -> Bool,
        waives_new_item -> Bool,
    }
}

diesel::table! {
    transits (id) {
        id -> BigInt,
        item_id -> BigInt,
        from_unit_id -> BigInt,
        to_unit_id -> BigInt,
        reason -> Text,
        hold_id -> Nullable<BigInt>,
        status -> Text,
        opened_at -> BigInt,
        closed_at -> Nullable<BigInt>,
        crate_id -> Nullable<BigInt>,
        sent_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    crates (id) {
        id -> BigInt,
        label -> Text,
        from_unit_id -> BigInt,
        to_unit_id -> BigInt,
        at_unit_id -> BigInt,
        status -> Text,
        leg_to_unit_id -> Nullable<BigInt>,
        route_id -> Nullable<BigInt>,
        courier_staff_id -> Nullable<BigInt>,
        signed_by_staff_id -> Nullable<BigInt>,
        items_sent -> Integer,
        opened_at -> BigInt,
        sent_at -> Nullable<BigInt>,
        delivered_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    routes (id) {
        id -> BigInt,
        code -> Text,
        unit_id -> BigInt,
        name -> Text,
        weekdays -> Text,
        courier_staff_id -> Nullable<BigInt>,
        vehicle -> Nullable<Text>,
        active -> Bool,
        version -> BigInt,
    }
}

diesel::table! {
    route_stops (route_id, position) {
        route_id -> BigInt,
        position -> Integer,
        unit_id -> BigInt,
        minute -> Integer,
    }
}

diesel::table! {
    ownership_transfers (id) {
        id -> BigInt,
        document_number -> Text,
        document_day -> Text,
        reason -> Text,
        from_unit_id -> BigInt,
        to_unit_id -> BigInt,
        status -> Text,
        answer -> Nullable<Text>,
        proposed_at -> BigInt,
        settled_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    ownership_transfer_items (transfer_id, item_id) {
        transfer_id -> BigInt,
        item_id -> BigInt,
        outcome -> Text,
    }
}

diesel::table! {
    events (seq) {
        seq -> BigInt,
        txid -> BigInt,
        at -> BigInt,
        day -> Text,
        kind -> Text,
        unit_id -> BigInt,
        item_id -> Nullable<BigInt>,
        bib_id -> Nullable<BigInt>,
        owner_unit_id -> Nullable<BigInt>,
        home_unit_id -> Nullable<BigInt>,
        item_type_id -> Nullable<BigInt>,
        clc_class -> Nullable<Text>,
        category_id -> Nullable<BigInt>,
        age_band -> Nullable<Text>,
        channel -> Text,
        device_id -> Nullable<BigInt>,
        visit_id -> Nullable<BigInt>,
        detail -> Text,
        commitment -> Nullable<Binary>,
    }
}

diesel::table! {
    event_personal (seq) {
        seq -> BigInt,
        salt -> Binary,
        reader_id -> Nullable<BigInt>,
        staff_id -> Nullable<BigInt>,
        data -> Text,
    }
}

diesel::table! {
    reader_events (reader_id, seq) {
        reader_id -> BigInt,
        seq -> BigInt,
        at -> Nullable<BigInt>,
    }
}

diesel::table! {
    event_seals (position) {
        position -> BigInt,
        last_txid -> BigInt,
        last_seq -> BigInt,
        event_count -> BigInt,
        hash -> Binary,
        sealed_at -> BigInt,
    }
}

diesel::table! {
    daily_counts (day, unit_id, kind, owner_unit_id, item_type_id, category_id, age_band, channel) {
        day -> Text,
        unit_id -> BigInt,
        kind -> Text,
        owner_unit_id -> BigInt,
        item_type_id -> BigInt,
        category_id -> BigInt,
        age_band -> Text,
        channel -> Text,
        n -> BigInt,
    }
}

diesel::table! {
    visit_keys (day) {
        day -> Text,
        key -> Binary,
    }
}

diesel::table! {
    idempotency_keys (digest) {
        digest -> Binary,
        request_hash -> Binary,
        reader_id -> Nullable<BigInt>,
        outcome -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    import_batches (id) {
        id -> BigInt,
        kind -> Text,
        owner_unit_id -> BigInt,
        file_name -> Text,
        created_at -> BigInt,
        undone_at -> Nullable<BigInt>,
        made -> BigInt,
    }
}

diesel::table! {
    import_rows (batch_id, row_number) {
        batch_id -> BigInt,
        row_number -> BigInt,
        subject_id -> BigInt,
        old_id -> Nullable<Text>,
        memo -> Text,
    }
}

diesel::table! {
    legacy_deposits (id) {
        id -> BigInt,
        reader_id -> BigInt,
        owner_unit_id -> BigInt,
        amount_fen -> BigInt,
        paid_on -> Nullable<Text>,
        receipt -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    jobs (name) {
        name -> Text,
        node -> Nullable<Text>,
        lease_until -> Nullable<BigInt>,
        run -> BigInt,
        after_id -> BigInt,
        expected -> Nullable<BigInt>,
        looked_at -> BigInt,
        changed -> BigInt,
        started_at -> Nullable<BigInt>,
        finished_at -> Nullable<BigInt>,
        failed_at -> Nullable<BigInt>,
        error -> Nullable<Text>,
    }
}

diesel::table! {
    pulls (id) {
        id -> BigInt,
        hold_id -> BigInt,
        bib_id -> BigInt,
        item_id -> BigInt,
        unit_id -> BigInt,
        asked_at -> BigInt,
        asked_on -> Text,
        answer_by -> Text,
        closed_at -> Nullable<BigInt>,
        closed_how -> Nullable<Text>,
        reason -> Nullable<Text>,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    unit_sending (unit_id) {
        unit_id -> BigInt,
        sends -> Bool,
        daily_cap -> Nullable<Integer>,
        answer_days -> Integer,
    }
}

diesel::table! {
    transport_costs (from_unit_id, to_unit_id) {
        from_unit_id -> BigInt,
        to_unit_id -> BigInt,
        cost -> Integer,
    }
}

diesel::table! {
    deposits (id) {
        id -> BigInt,
        from_unit_id -> BigInt,
        to_unit_id -> BigInt,
        until_day -> Text,
        reason -> Text,
        status -> Text,
        version -> BigInt,
        created_at -> BigInt,
        recalled_at -> Nullable<BigInt>,
        recall_reason -> Nullable<Text>,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    outbox (id) {
        id -> BigInt,
        consumer -> Text,
        subject_id -> BigInt,
        message_key -> Text,
        created_at -> BigInt,
        attempts -> Integer,
        next_at -> Nullable<BigInt>,
        done_at -> Nullable<BigInt>,
        dead_at -> Nullable<BigInt>,
        error -> Nullable<Text>,
    }
}

diesel::table! {
    deposit_items (deposit_id, row_number) {
        deposit_id -> BigInt,
        row_number -> Integer,
        barcode -> Text,
        item_id -> Nullable<BigInt>,
        state -> Text,
        why -> Nullable<Text>,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    mobile_stops (id) {
        id -> BigInt,
        unit_id -> BigInt,
        place -> Text,
        latitude -> Nullable<Double>,
        longitude -> Nullable<Double>,
        weekday -> Nullable<Integer>,
        first_day -> Text,
        last_day -> Nullable<Text>,
        opens_minute -> Integer,
        closes_minute -> Integer,
    }
}

diesel::table! {
    unit_openings (id) {
        id -> BigInt,
        unit_id -> BigInt,
        first_day -> Text,
        last_day -> Text,
        reason -> Text,
    }
}

diesel::table! {
    unit_opening_spans (opening_id, opens_minute) {
        opening_id -> BigInt,
        opens_minute -> Integer,
        closes_minute -> Integer,
    }
}

diesel::table! {
    packing_units (unit_id) {
        unit_id -> BigInt,
        packs -> Bool,
    }
}

diesel::table! {
    mobile_stop_cancellations (stop_id, day) {
        stop_id -> BigInt,
        day -> Text,
    }
}

diesel::table! {
    delivery_requests (id) {
        id -> BigInt,
        reader_id -> Nullable<BigInt>,
        unit_id -> BigInt,
        delivery -> Text,
        rest -> Text,
        asked_at -> BigInt,
    }
}

diesel::table! {
    unit_amnesties (id) {
        id -> BigInt,
        unit_id -> BigInt,
        first_day -> Text,
        last_day -> Text,
        reason -> Text,
    }
}

diesel::table! {
    delivery_addresses (request_id) {
        request_id -> BigInt,
        name -> Text,
        phone -> Text,
        region -> Text,
        street -> Text,
    }
}

diesel::table! {
    parcels (id) {
        id -> BigInt,
        request_id -> BigInt,
        unit_id -> BigInt,
        direction -> Text,
        state -> Text,
        opened_at -> BigInt,
        dispatch_by -> Nullable<Text>,
        posted_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        closed_at -> Nullable<BigInt>,
        tracking_number -> Nullable<Text>,
        alarmed_at -> Nullable<BigInt>,
        given_up_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// Changes after which a day may be closed that was open, and the walk over what was due that follows each.
    calendar_changes (id) {
        id -> BigInt,
        kind -> Text,
        unit_id -> BigInt,
        first_day -> Nullable<Text>,
        last_day -> Nullable<Text>,
        reason -> Nullable<Text>,
        made_at -> BigInt,
        undone_at -> Nullable<BigInt>,
        status -> Text,
        walks_holds -> Bool,
        after_id -> BigInt,
        began_at -> Nullable<BigInt>,
        sure -> Bool,
        expected -> Nullable<BigInt>,
        looked_at -> BigInt,
        moved_loans -> BigInt,
        moved_holds -> BigInt,
        put_back -> BigInt,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    parcel_lines (id) {
        id -> BigInt,
        parcel_id -> BigInt,
        item_id -> BigInt,
        hold_id -> Nullable<BigInt>,
        loan_id -> Nullable<BigInt>,
        from_delivery -> Bool,
        set_aside -> Nullable<Text>,
        closed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    moved_loans (change_id, loan_id) {
        change_id -> BigInt,
        loan_id -> BigInt,
        old_due_at -> BigInt,
        new_due_at -> BigInt,
        put_back -> Bool,
    }
}

diesel::table! {
    parcel_reports (report_id) {
        report_id -> Text,
        parcel_id -> BigInt,
        step -> Text,
        occurred_at -> BigInt,
        reported_at -> BigInt,
        applied -> Bool,
    }
}

diesel::table! {
    moved_holds (change_id, hold_id) {
        change_id -> BigInt,
        hold_id -> BigInt,
        old_until -> Text,
        new_until -> Text,
        put_back -> Bool,
    }
}

diesel::table! {
    credit_entries (id) {
        id -> BigInt,
        reader_id -> BigInt,
        number -> BigInt,
        posted_at -> BigInt,
        day -> Text,
        kind -> Text,
        event -> Nullable<Text>,
        points -> BigInt,
        asked -> BigInt,
        limited_by -> Nullable<Text>,
        balance -> BigInt,
        rules_version -> BigInt,
        cause -> Text,
        undoes_id -> Nullable<BigInt>,
        undone_by -> Nullable<BigInt>,
    }
}

diesel::table! {
    credit_reasons (entry_id) {
        entry_id -> BigInt,
        loan_id -> Nullable<BigInt>,
        hold_id -> Nullable<BigInt>,
        staff_id -> Nullable<BigInt>,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    credit_overdue (loan_id) {
        loan_id -> BigInt,
        days -> Integer,
        points -> BigInt,
        regime -> Text,
        until -> Nullable<Text>,
        money_days -> Integer,
        rest_until -> Nullable<Text>,
        excused -> Bool,
    }
}

diesel::table! {
    credit_freezes (id) {
        id -> BigInt,
        reader_id -> BigInt,
        cause -> Text,
        entry_id -> Nullable<BigInt>,
        loan_id -> Nullable<BigInt>,
        started_at -> BigInt,
        until -> Nullable<BigInt>,
        restart -> Nullable<BigInt>,
        minutes_needed -> Nullable<Integer>,
        minutes_done -> Integer,
        quiz -> Bool,
        note -> Nullable<Text>,
        ended_at -> Nullable<BigInt>,
        ended_by -> Nullable<Text>,
    }
}

diesel::table! {
    credit_appeals (id) {
        id -> BigInt,
        entry_id -> BigInt,
        reader_id -> BigInt,
        reason -> Nullable<Text>,
        made_at -> BigInt,
        status -> Text,
        decided_at -> Nullable<BigInt>,
        decided_by -> Nullable<BigInt>,
        answer -> Nullable<Text>,
    }
}

diesel::table! {
    event_cursors (name) {
        name -> Text,
        txid -> BigInt,
        seq -> BigInt,
    }
}

diesel::table! {
    reader_contacts (reader_id, channel) {
        reader_id -> BigInt,
        channel -> Text,
        key_id -> Text,
        sealed -> Binary,
        shown -> Text,
        confirmed_at -> Nullable<BigInt>,
        soft_bounces -> Integer,
        failing_since -> Nullable<BigInt>,
        changed_at -> BigInt,
        next_key_id -> Nullable<Text>,
        next_sealed -> Nullable<Binary>,
        next_shown -> Nullable<Text>,
    }
}

diesel::table! {
    notice_preferences (reader_id) {
        reader_id -> BigInt,
        language -> Text,
        quiet_from -> Integer,
        quiet_until -> Integer,
        gathers -> Bool,
        channels -> Text,
        version -> BigInt,
    }
}

diesel::table! {
    notices (id) {
        id -> BigInt,
        reader_id -> BigInt,
        kind -> Text,
        unit_id -> BigInt,
        made_at -> BigInt,
        send_at -> BigInt,
        gathering -> Bool,
    }
}

diesel::table! {
    credit_reports (source, report_id) {
        source -> Text,
        report_id -> Text,
        fingerprint -> Binary,
        outcome -> Text,
        entry_id -> Nullable<BigInt>,
        reported_at -> BigInt,
    }
}

diesel::table! {
    notice_lines (kind, subject_id, occasion) {
        kind -> Text,
        subject_id -> BigInt,
        occasion -> BigInt,
        notice_id -> BigInt,
    }
}

diesel::table! {
    credit_feed (id) {
        id -> BigInt,
        position -> BigInt,
        taken -> BigInt,
    }
}

diesel::table! {
    notice_sendings (id) {
        id -> BigInt,
        notice_id -> BigInt,
        channel -> Text,
        sent_at -> Nullable<BigInt>,
        bounced_at -> Nullable<BigInt>,
        status -> Nullable<Text>,
        address_since -> Nullable<BigInt>,
    }
}

diesel::table! {
    admission_requests (id) {
        id -> BigInt,
        reader_id -> BigInt,
        provider -> Text,
        state -> Text,
        order_key -> Text,
        asked_at -> BigInt,
        decided_at -> Nullable<BigInt>,
        agree_url -> Nullable<Text>,
        agreed_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    admission_reports (provider, report_id) {
        provider -> Text,
        report_id -> Text,
        request_id -> BigInt,
        decision -> Text,
        reported_at -> BigInt,
        applied -> Bool,
    }
}

diesel::table! {
    one_time_codes (id) {
        id -> BigInt,
        reader_id -> BigInt,
        purpose -> Text,
        channel -> Text,
        made_at -> BigInt,
        expires_at -> BigInt,
        attempts -> Integer,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    notice_templates (unit_id, kind, language) {
        unit_id -> BigInt,
        kind -> Text,
        language -> Text,
        subject -> Text,
        body -> Text,
        html -> Text,
        saved_at -> BigInt,
    }
}

diesel::table! {
    webhooks (id) {
        id -> BigInt,
        unit_id -> BigInt,
        url -> Text,
        kinds -> Text,
        active -> Bool,
        secret_number -> BigInt,
        secret_since -> BigInt,
        version -> BigInt,
        created_at -> BigInt,
        removed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    webhook_deliveries (id) {
        id -> BigInt,
        webhook_id -> BigInt,
        event_seq -> BigInt,
        made_at -> BigInt,
        status -> Nullable<Integer>,
    }
}

diesel::table! {
    unlinking (id) {
        id -> BigInt,
        began_before -> Nullable<BigInt>,
        unlinked_before -> Nullable<BigInt>,
    }
}

diesel::table! {
    reader_consents (id) {
        id -> BigInt,
        reader_id -> BigInt,
        kind -> Text,
        text_version -> Text,
        given_at -> BigInt,
        withdrawn_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    reader_accesses (id) {
        id -> BigInt,
        reader_id -> BigInt,
        staff_id -> BigInt,
        unit_id -> BigInt,
        what -> Text,
        day -> Text,
        at -> BigInt,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    staff_totp (staff_id) {
        staff_id -> BigInt,
        number -> Nullable<BigInt>,
        pending -> Nullable<BigInt>,
        last_step -> BigInt,
    }
}

diesel::table! {
    staff_recovery_codes (id) {
        id -> BigInt,
        staff_id -> BigInt,
        code_hash -> Binary,
        used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    reset_codes (id) {
        id -> BigInt,
        audience -> Text,
        subject_id -> BigInt,
        made_at -> BigInt,
        expires_at -> BigInt,
        attempts -> Integer,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    unit_self_registration (unit_id) {
        unit_id -> BigInt,
        how -> Text,
    }
}

diesel::table! {
    card_applications (id) {
        id -> BigInt,
        token_hash -> Binary,
        state -> Text,
        unit_id -> BigInt,
        channel -> Text,
        made_at -> BigInt,
        code_expires_at -> BigInt,
        attempts -> Integer,
        name -> Nullable<Text>,
        birth_date -> Nullable<Text>,
        id_tail -> Nullable<Text>,
        key_id -> Nullable<Text>,
        id_sealed -> Nullable<Binary>,
        address_sealed -> Nullable<Binary>,
        address_shown -> Nullable<Text>,
        pin_hash -> Nullable<Text>,
        reasons -> Text,
        reader_id -> Nullable<BigInt>,
        refusal -> Nullable<Text>,
        decided_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    staff_contacts (staff_id) {
        staff_id -> BigInt,
        key_id -> Text,
        sealed -> Binary,
        shown -> Text,
        changed_at -> BigInt,
    }
}

diesel::table! {
    device_keys (id) {
        id -> BigInt,
        device_id -> BigInt,
        key_id -> Text,
        public_key -> Binary,
        journal -> BigInt,
        first_sequence -> BigInt,
        given_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    device_configurations (device_id, version) {
        device_id -> BigInt,
        version -> BigInt,
        driver -> Text,
        settings -> Text,
        made_at -> BigInt,
    }
}

diesel::table! {
    device_passwords (device_id) {
        device_id -> BigInt,
        key_id -> Text,
        sealed -> Binary,
        changed_at -> BigInt,
    }
}

diesel::table! {
    device_status (device_id) {
        device_id -> BigInt,
        last_seen_at -> BigInt,
        started_at -> BigInt,
        beat -> BigInt,
        clock_offset_ms -> BigInt,
        clock -> Text,
        firmware -> Text,
        configuration_version -> BigInt,
        faults -> Text,
        stock -> Text,
        changed_at -> BigInt,
    }
}

diesel::table! {
    device_alarms (id) {
        id -> BigInt,
        device_id -> BigInt,
        kind -> Text,
        subject -> Text,
        raised_at -> BigInt,
        last_at -> BigInt,
        times -> BigInt,
        ended_at -> Nullable<BigInt>,
        ended_how -> Nullable<Text>,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    device_commands (id) {
        id -> BigInt,
        device_id -> BigInt,
        kind -> Text,
        body -> Text,
        receipt -> Binary,
        status -> Text,
        queued_at -> BigInt,
        expires_at -> BigInt,
        delivered_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        result -> Nullable<Text>,
        late_result -> Nullable<Text>,
    }
}

diesel::table! {
    gate_hours (device_id, hour_start) {
        device_id -> BigInt,
        hour_start -> BigInt,
        unit_id -> BigInt,
        went_in -> BigInt,
        went_out -> BigInt,
    }
}

diesel::table! {
    gate_batches (device_id, batch) {
        device_id -> BigInt,
        batch -> Text,
        received_at -> BigInt,
    }
}

diesel::table! {
    gate_checks (id) {
        id -> BigInt,
        device_id -> BigInt,
        check_id -> Text,
        unit_id -> BigInt,
        at -> BigInt,
        decision -> Text,
        reason -> Text,
        decided -> Text,
        tag -> Nullable<Text>,
        item_id -> Nullable<BigInt>,
        outcome -> Nullable<Text>,
        settled_at -> Nullable<BigInt>,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    compartments (id) {
        id -> BigInt,
        device_id -> BigInt,
        number -> Integer,
        size -> Text,
        purpose -> Text,
        state -> Text,
        item_id -> Nullable<BigInt>,
        awaited_item_id -> Nullable<BigInt>,
        turn -> BigInt,
        deadline_at -> Nullable<BigInt>,
        changed_at -> BigInt,
    }
}

diesel::table! {
    locker_sessions (id) {
        id -> BigInt,
        device_id -> BigInt,
        screen -> Integer,
        reader_id -> Nullable<BigInt>,
        opened_at -> BigInt,
        last_act_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        ended_how -> Nullable<Text>,
    }
}

diesel::table! {
    locker_returns (id) {
        id -> BigInt,
        device_id -> BigInt,
        compartment_id -> BigInt,
        turn -> BigInt,
        asked_at -> BigInt,
        reported_at -> Nullable<BigInt>,
        state -> Text,
        item_id -> Nullable<BigInt>,
        tags -> Text,
        settled_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    loan_confirmations (loan_id) {
        loan_id -> BigInt,
        device_id -> BigInt,
        compartment_id -> Nullable<BigInt>,
        turn -> BigInt,
        session_id -> Nullable<BigInt>,
        state -> Text,
        reserved_at -> BigInt,
        deadline_at -> BigInt,
        decided_at -> Nullable<BigInt>,
        decided_by -> Nullable<Text>,
        opened_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    loading_rounds (id) {
        id -> BigInt,
        device_id -> BigInt,
        started_at -> BigInt,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    loading_round_lines (round_id, item_id) {
        round_id -> BigInt,
        item_id -> BigInt,
        way -> Text,
        compartment_id -> Nullable<BigInt>,
        state -> Text,
        done_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    journal_cursors (device_id, journal) {
        device_id -> BigInt,
        journal -> BigInt,
        next_sequence -> BigInt,
        last_at -> Nullable<BigInt>,
        gap_since -> Nullable<BigInt>,
    }
}

diesel::table! {
    journal_entries (id) {
        id -> BigInt,
        device_id -> BigInt,
        journal -> BigInt,
        sequence -> BigInt,
        body_hash -> Binary,
        body -> Nullable<Text>,
        happened_at -> BigInt,
        received_at -> BigInt,
        verdict -> Text,
        codes -> Text,
        judged_at -> Nullable<BigInt>,
        item_id -> Nullable<BigInt>,
        loan_id -> Nullable<BigInt>,
        kind -> Nullable<Text>,
        failing_since -> Nullable<BigInt>,
    }
}

diesel::table! {
    journal_quarantine (id) {
        id -> BigInt,
        device_id -> BigInt,
        journal -> BigInt,
        sequence -> BigInt,
        to_sequence -> BigInt,
        reason -> Text,
        key_id -> Nullable<Text>,
        signature -> Nullable<Text>,
        body -> Nullable<Text>,
        body_hash -> Nullable<Binary>,
        claimed_at -> Nullable<BigInt>,
        shifted_at -> Nullable<BigInt>,
        received_at -> BigInt,
        settled_at -> Nullable<BigInt>,
        settled_how -> Nullable<Text>,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    journal_conflicts (id) {
        id -> BigInt,
        device_id -> BigInt,
        unit_id -> BigInt,
        entry_id -> Nullable<BigInt>,
        reason -> Text,
        happened_at -> BigInt,
        item_id -> Nullable<BigInt>,
        reader_id -> Nullable<BigInt>,
        loan_id -> Nullable<BigInt>,
        body -> Nullable<Text>,
        raised_at -> BigInt,
        resolved_at -> Nullable<BigInt>,
        resolution -> Nullable<Text>,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    offline_blocks (seq) {
        seq -> BigInt,
        card_hash -> Binary,
        blocked -> Bool,
        made_at -> BigInt,
    }
}

diesel::table! {
    offline_block_numbers (id) {
        id -> BigInt,
        last_seq -> BigInt,
        first_seq -> BigInt,
        salt -> Nullable<Binary>,
    }
}

diesel::table! {
    sorter_bins (id) {
        id -> BigInt,
        unit_id -> BigInt,
        bin -> Integer,
        takes -> Text,
        collection_id -> Nullable<BigInt>,
        to_unit_id -> Nullable<BigInt>,
        and_below -> Bool,
        route_id -> Nullable<BigInt>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    device_status,
    device_alarms,
    device_commands,
    device_configurations,
    gate_checks,
    compartments,
    locker_sessions,
    loan_confirmations,
    loading_round_lines,
    journal_entries,
    journal_conflicts,
    journal_quarantine,
    sorter_bins,
    unit_self_registration,
    card_applications,
    staff_contacts,
    credit_entries,
    credit_reasons,
    credit_overdue,
    credit_freezes,
    credit_appeals,
    credit_reports,
    credit_feed,
    admission_requests,
    admission_reports,
    event_cursors,
    reader_contacts,
    notice_preferences,
    notices,
    notice_lines,
    notice_sendings,
    one_time_codes,
    notice_templates,
    webhooks,
    webhook_deliveries,
    staff_totp,
    staff_recovery_codes,
    reset_codes,
    unlinking,
    reader_consents,
    reader_accesses,
    deposits,
    deposit_items,
    mobile_stops,
    mobile_stop_cancellations,
    outbox,
    packing_units,
    delivery_requests,
    delivery_addresses,
    parcels,
    parcel_lines,
    parcel_reports,
    unit_openings,
    unit_opening_spans,
    unit_amnesties,
    calendar_changes,
    moved_loans,
    moved_holds,
    jobs,
    pulls,
    unit_sending,
    transport_costs,
    import_batches,
    import_rows,
    legacy_deposits,
    network_state,
    id_blocks,
    units,
    unit_hours,
    unit_closed_days,
    item_types,
    reader_categories,
    collections,
    unit_membership,
    rule_sets,
    rule_drafts,
    bibs,
    bib_isbns,
    bib_versions,
    items,
    readers,
    cards,
    reader_identities,
    reader_merges,
    guardianships,
    card_sessions,
    card_revocations,
    card_revocation_numbers,
    staff,
    staff_roles,
    devices,
    refresh_tokens,
    loans,
    holds,
    transits,
    crates,
    routes,
    route_stops,
    ownership_transfers,
    ownership_transfer_items,
    events,
    event_personal,
    reader_events,
    event_seals,
    daily_counts,
    visit_keys,
    idempotency_keys
);
