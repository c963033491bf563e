import { describe, expect, test } from 'bun:test';
import { tracingOptions } from './tracing.ts';

const NONE = { tracesTo: undefined, tracesSample: undefined };
const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
const url = (variables: Record<string, string>) => tracingOptions(NONE, variables)?.url;
const sampler = (variables: Record<string, string>, tracesSample?: number) =>
  tracingOptions({ tracesTo: undefined, tracesSample }, { ...ENDPOINT, ...variables })?.sampler;

describe('tracing', () => {
  test('is off when nothing names a collector', () => {
    expect(url({})).toBeUndefined();
    expect(url({ OTEL_SERVICE_NAME: 'berth', OTEL_TRACES_SAMPLER: 'always_on' })).toBeUndefined();
    expect(url({ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' })).toBeUndefined();
  });

  test('is off when a variable says so', () => {
    expect(url({ ...ENDPOINT, OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
    expect(url({ ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' })).toBeUndefined();
  });

  test.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }, 'http://collector:4318/v1/traces'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://example.com/otlp/' }, 'https://example.com/otlp/v1/traces'],
    [{ ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:80/in' }, 'http://traces/in'],
    [{ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }, 'http://collector:4318/v1/traces'],
    [{ OTEL_TRACES_EXPORTER: 'otlp' }, 'http://localhost:4318/v1/traces'],
  ])('goes where %p says', (variables, address) => {
    expect(url(variables as Record<string, string>)).toBe(address);
  });

  test("goes where Berth's own setting says, whatever the variables do", () => {
    const variables = { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    expect(tracingOptions({ ...NONE, tracesTo: 'http://own/v1/traces' }, variables)?.url).toBe('http://own/v1/traces');
  });

  test('takes the share of requests from the setting, else from the sampler', () => {
    expect(sampler({})).toEqual({ ratio: 1, followsCaller: true });
    expect(sampler({ OTEL_TRACES_SAMPLER: 'always_off' })).toEqual({ ratio: 0, followsCaller: false });
    const ratio = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' };
    expect(sampler(ratio)).toEqual({ ratio: 0.25, followsCaller: false });
    expect(sampler({ ...ratio, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio' })).toEqual({
      ratio: 0.25,
      followsCaller: true,
    });
    expect(sampler(ratio, 0.5)).toEqual({ ratio: 0.5, followsCaller: true });
  });

  test.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, /^OTEL_EXPORTER_OTLP_ENDPOINT: is not an http\(s\) address/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://me:hidden@collector' }, /OTEL_EXPORTER_OTLP_HEADERS$/],
    [
      { ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c/?key=hidden' },
      /^OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: /,
    ],
    [{ ...ENDPOINT, OTEL_TRACES_EXPORTER: 'zipkin' }, /^OTEL_TRACES_EXPORTER: "zipkin" is not one of otlp, none$/],
    [
      { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      /^OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not spoken; .*4318/,
    ],
    [{ ...ENDPOINT, OTEL_TRACES_SAMPLER: 'some' }, /^OTEL_TRACES_SAMPLER: "some" is not one of always_on, /],
    [
      { ...ENDPOINT, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '10' },
      /^OTEL_TRACES_SAMPLER_ARG: "10" is not a number from 0 to 1$/,
    ],
    [{ ...ENDPOINT, OTEL_BSP_MAX_QUEUE_SIZE: '0' }, /^OTEL_BSP_MAX_QUEUE_SIZE: "0" is not a whole number/],
  ])('refuses %p', (variables, message) => {
    let told = '';
    try {
      url(variables as Record<string, string>);
    } catch (error) {
      told = String((error as Error).message);
    }
    expect(told).toMatch(message);
    expect(told).not.toContain('hidden');
  });

  test('refuses a share of nothing', () => {
    expect(() => tracingOptions({ tracesTo: undefined, tracesSample: 0.5 }, {})).toThrow(
      /^--traces-sample: .*--traces-to/,
    );
  });
});
