-- Tables of the sink "postgres", version 1: one for each kind of message. The sink runs this by itself; by hand, as the
-- role that shall own them: psql -1 -f 0001.sql
--
-- time: when it was true. id: of the uplink; with node and time it tells a message from any other. A column is NULL
-- where the node or its carrier did not say. Files that were released are never changed: what is new comes in the next.

CREATE TABLE judder_schema (
    version integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE judder_reading (
    id uuid NOT NULL,
    node text NOT NULL,
    time timestamptz NOT NULL,
    measured_at timestamptz,
    received_at timestamptz,
    problems text[],
    name text,
    tags jsonb,
    uplink_source text,
    uplink_port integer,
    uplink_fcnt bigint,
    uplink_session text,
    uplink_confirmed boolean,
    uplink_rssi_dbm double precision,
    uplink_snr_db double precision,
    uplink_gateway text,
    uplink_data_rate text,
    uplink_frequency_hz bigint,
    uplink_dedup text,
    payload bytea,
    extra text,  -- what a newer node sent beyond, as JSON
    zone text,
    alarm_level text,
    worst_axis text,
    clipped boolean,
    lossy boolean,
    band_not_covered boolean,
    not_running boolean,
    clock_not_set boolean,
    sensor_fault boolean,
    velocity_rms_worst_mm_s double precision,  -- velocity RMS of the worst axis
    temperature_c double precision,  -- temperature at the machine
    sequence bigint,  -- number of this reading, from 0 at power-on
    age_s bigint,  -- time from measurement to sending
    velocity_rms_x_mm_s double precision,  -- velocity RMS, x
    velocity_rms_y_mm_s double precision,  -- velocity RMS, y
    velocity_rms_z_mm_s double precision,  -- velocity RMS, z
    acceleration_rms_x_mg integer,  -- acceleration RMS with the mean removed, x
    acceleration_rms_y_mg integer,  -- acceleration RMS with the mean removed, y
    acceleration_rms_z_mg integer,  -- acceleration RMS with the mean removed, z
    acceleration_peak_x_mg integer,  -- largest distance from the mean, x
    acceleration_peak_y_mg integer,  -- largest distance from the mean, y
    acceleration_peak_z_mg integer,  -- largest distance from the mean, z
    battery_mv integer,  -- supply or battery voltage
    kurtosis_x double precision,  -- kurtosis, Gaussian = 3, x
    kurtosis_y double precision,  -- kurtosis, Gaussian = 3, y
    kurtosis_z double precision,  -- kurtosis, Gaussian = 3, z
    envelope_rms_x_mg integer,  -- envelope RMS, x
    envelope_rms_y_mg integer,  -- envelope RMS, y
    envelope_rms_z_mg integer,  -- envelope RMS, z
    line_frequency_x_hz double precision,  -- frequency of the strongest line, x
    line_velocity_rms_x_mm_s double precision,  -- velocity RMS of that line, x
    line_frequency_y_hz double precision,  -- frequency of the strongest line, y
    line_velocity_rms_y_mm_s double precision,  -- velocity RMS of that line, y
    line_frequency_z_hz double precision,  -- frequency of the strongest line, z
    line_velocity_rms_z_mm_s double precision,  -- velocity RMS of that line, z
    sample_rate_hz double precision,  -- measured sample rate
    samples_lost bigint,  -- samples made and not got, this reading; null: not known how many
    energy_spent_mj bigint,  -- energy of this cycle
    band_low_hz double precision,  -- lower end of the band that velocity really covers
    band_high_hz integer,  -- upper end of the band that velocity really covers
    skewness_x double precision,  -- skewness, symmetric = 0, x
    skewness_y double precision,  -- skewness, symmetric = 0, y
    skewness_z double precision,  -- skewness, symmetric = 0, z
    envelope_peak_x_mg integer,  -- largest value of the envelope, x
    envelope_peak_y_mg integer,  -- largest value of the envelope, y
    envelope_peak_z_mg integer,  -- largest value of the envelope, z
    PRIMARY KEY (node, time, id)
);

CREATE TABLE judder_alarm (
    id uuid NOT NULL,
    node text NOT NULL,
    time timestamptz NOT NULL,
    measured_at timestamptz,
    received_at timestamptz,
    problems text[],
    name text,
    tags jsonb,
    uplink_source text,
    uplink_port integer,
    uplink_fcnt bigint,
    uplink_session text,
    uplink_confirmed boolean,
    uplink_rssi_dbm double precision,
    uplink_snr_db double precision,
    uplink_gateway text,
    uplink_data_rate text,
    uplink_frequency_hz bigint,
    uplink_dedup text,
    payload bytea,
    extra text,  -- what a newer node sent beyond, as JSON
    sequence bigint,
    age_s bigint,
    zone text,
    alarm_level text,
    worst_axis text,
    clipped boolean,
    lossy boolean,
    band_not_covered boolean,
    not_running boolean,
    clock_not_set boolean,
    sensor_fault boolean,
    metric text,
    unit text,
    value double precision,
    "limit" double precision,
    PRIMARY KEY (node, time, id)
);

CREATE TABLE judder_hello (
    id uuid NOT NULL,
    node text NOT NULL,
    time timestamptz NOT NULL,
    measured_at timestamptz,
    received_at timestamptz,
    problems text[],
    name text,
    tags jsonb,
    uplink_source text,
    uplink_port integer,
    uplink_fcnt bigint,
    uplink_session text,
    uplink_confirmed boolean,
    uplink_rssi_dbm double precision,
    uplink_snr_db double precision,
    uplink_gateway text,
    uplink_data_rate text,
    uplink_frequency_hz bigint,
    uplink_dedup text,
    payload bytea,
    extra text,  -- what a newer node sent beyond, as JSON
    firmware text,
    micropython text,
    board bigint,
    reset_cause text,
    uptime_s bigint,
    battery_mv bigint,
    queue_depth bigint,
    dropped bigint,
    settings_crc bigint,
    tls_library text,
    flags text[],
    vibration_sensor text,
    temperature_sensor text,
    link text,
    boots bigint,
    link_failures bigint,
    downlinks_refused bigint,
    joins bigint,
    join_failures bigint,
    uplinks bigint,
    downlinks bigint,
    data_rate bigint,
    rssi_dbm bigint,
    snr_db double precision,
    PRIMARY KEY (node, time, id)
);

CREATE TABLE judder_ack (
    id uuid NOT NULL,
    node text NOT NULL,
    time timestamptz NOT NULL,
    measured_at timestamptz,
    received_at timestamptz,
    problems text[],
    name text,
    tags jsonb,
    uplink_source text,
    uplink_port integer,
    uplink_fcnt bigint,
    uplink_session text,
    uplink_confirmed boolean,
    uplink_rssi_dbm double precision,
    uplink_snr_db double precision,
    uplink_gateway text,
    uplink_data_rate text,
    uplink_frequency_hz bigint,
    uplink_dedup text,
    payload bytea,
    extra text,  -- what a newer node sent beyond, as JSON
    tag bigint,
    status text,
    detail bigint,
    settings_crc bigint,
    PRIMARY KEY (node, time, id)
);

CREATE TABLE judder_capture (
    id uuid NOT NULL,
    node text NOT NULL,
    time timestamptz NOT NULL,
    measured_at timestamptz,
    received_at timestamptz,
    problems text[],
    name text,
    tags jsonb,
    uplink_source text,
    uplink_port integer,
    uplink_fcnt bigint,
    uplink_session text,
    uplink_confirmed boolean,
    uplink_rssi_dbm double precision,
    uplink_snr_db double precision,
    uplink_gateway text,
    uplink_data_rate text,
    uplink_frequency_hz bigint,
    uplink_dedup text,
    payload bytea,
    extra text,  -- what a newer node sent beyond, as JSON
    capture bigint,
    index bigint,
    count bigint,
    content text,
    axis text,
    sequence bigint,
    sample_rate_hz double precision,
    scale_ug bigint,
    samples bigint,
    first bigint,
    data bytea,
    PRIMARY KEY (node, time, id)
);

CREATE TABLE judder_spectrum (
    id uuid NOT NULL,
    node text NOT NULL,
    time timestamptz NOT NULL,
    measured_at timestamptz,
    received_at timestamptz,
    problems text[],
    name text,
    tags jsonb,
    uplink_source text,
    uplink_port integer,
    uplink_fcnt bigint,
    uplink_session text,
    uplink_confirmed boolean,
    uplink_rssi_dbm double precision,
    uplink_snr_db double precision,
    uplink_gateway text,
    uplink_data_rate text,
    uplink_frequency_hz bigint,
    uplink_dedup text,
    payload bytea,
    extra text,  -- what a newer node sent beyond, as JSON
    axis text,
    sequence bigint,
    resolution_hz double precision,
    line1_frequency_hz double precision,  -- frequency of the strongest line
    line1_velocity_rms_mm_s double precision,  -- velocity RMS of that line
    line2_frequency_hz double precision,  -- frequency of the second strongest line
    line2_velocity_rms_mm_s double precision,  -- velocity RMS of that line
    line3_frequency_hz double precision,  -- frequency of the third line
    line3_velocity_rms_mm_s double precision,  -- velocity RMS of that line
    line4_frequency_hz double precision,  -- frequency of the fourth line
    line4_velocity_rms_mm_s double precision,  -- velocity RMS of that line
    line5_frequency_hz double precision,  -- frequency of the fifth line
    line5_velocity_rms_mm_s double precision,  -- velocity RMS of that line
    line6_frequency_hz double precision,  -- frequency of the sixth line
    line6_velocity_rms_mm_s double precision,  -- velocity RMS of that line
    line7_frequency_hz double precision,  -- frequency of the seventh line
    line7_velocity_rms_mm_s double precision,  -- velocity RMS of that line
    line8_frequency_hz double precision,  -- frequency of the eighth line
    line8_velocity_rms_mm_s double precision,  -- velocity RMS of that line
    band1_velocity_rms_mm_s double precision,  -- velocity RMS within the band of settings band1_low_hz and band1_high_hz
    band2_velocity_rms_mm_s double precision,  -- velocity RMS within the band of settings band2_low_hz and band2_high_hz
    band3_velocity_rms_mm_s double precision,  -- velocity RMS within the band of settings band3_low_hz and band3_high_hz
    band4_velocity_rms_mm_s double precision,  -- velocity RMS within the band of settings band4_low_hz and band4_high_hz
    PRIMARY KEY (node, time, id)
);

CREATE TABLE judder_command (
    id uuid NOT NULL,
    node text NOT NULL,
    time timestamptz NOT NULL,
    measured_at timestamptz,
    received_at timestamptz,
    problems text[],
    name text,
    tags jsonb,
    uplink_source text,
    uplink_port integer,
    uplink_fcnt bigint,
    uplink_session text,
    uplink_confirmed boolean,
    uplink_rssi_dbm double precision,
    uplink_snr_db double precision,
    uplink_gateway text,
    uplink_data_rate text,
    uplink_frequency_hz bigint,
    uplink_dedup text,
    payload bytea,
    extra text,  -- what a newer node sent beyond, as JSON
    tag bigint,
    action text,
    argument bigint,
    settings text,  -- by name, secrets masked, as JSON
    PRIMARY KEY (node, time, id)
);

CREATE TABLE judder_unknown (
    id uuid NOT NULL,
    node text NOT NULL,
    time timestamptz NOT NULL,
    measured_at timestamptz,
    received_at timestamptz,
    problems text[],
    name text,
    tags jsonb,
    uplink_source text,
    uplink_port integer,
    uplink_fcnt bigint,
    uplink_session text,
    uplink_confirmed boolean,
    uplink_rssi_dbm double precision,
    uplink_snr_db double precision,
    uplink_gateway text,
    uplink_data_rate text,
    uplink_frequency_hz bigint,
    uplink_dedup text,
    payload bytea,
    kind_number bigint,
    items text,  -- what follows the kind, as JSON
    PRIMARY KEY (node, time, id)
);

-- The fleet's latest, whatever the node.
CREATE INDEX judder_reading_time ON judder_reading (time DESC);
CREATE INDEX judder_alarm_time ON judder_alarm (time DESC);

INSERT INTO judder_schema (version) VALUES (1);
