import type { Finding } from '../../doctor/address.ts';
import { mib, PROXIES, SENTENCES } from '../../doctor/sentences.ts';
import { defineWords } from '../kit/words.tsx';

type Of<Kind extends Finding['kind']> = Extract<Finding, { kind: Kind }>;

export const addressWords = defineWords(
  {
    title: 'Check this address',
    what: 'Asks the registry through the address that you have opened, as clients do.',
    again: 'Check again',
    verdicts: { ok: 'Right', warn: 'Look at this', bad: 'Wrong' },
    checking: 'Checking',
    parts: { address: 'Address', login: 'Log-in of clients', body: 'Large layers' },
    logInFor: 'Log in, and this page tries how large a body may be.',
    logIn: 'Log in',
    large: 'Try it with 200 MiB',
    largeWhat: 'Some proxies cut only larger bodies. The bytes are thrown away on arrival.',
    sent: (sent: number, bytes: number) => `${mib(sent)} of ${mib(bytes)} sent`,
    sending: 'Sending',
    stop: 'Stop',
    write: (where: string) => `For ${where}`,
    findings: SENTENCES,
  },
  {
    title: '이 주소 점검',
    what: '지금 연 주소로, 클라이언트와 같은 방식으로 레지스트리에 물어봅니다.',
    again: '다시 점검',
    verdicts: { ok: '정상', warn: '확인 필요', bad: '문제' },
    checking: '점검 중',
    parts: { address: '주소', login: '클라이언트 로그인', body: '큰 레이어' },
    logInFor: '로그인하면 얼마나 큰 본문을 보낼 수 있는지 점검합니다.',
    logIn: '로그인',
    large: '200 MiB로 점검',
    largeWhat: '더 큰 본문만 막는 프록시도 있습니다. 보낸 데이터는 도착하는 대로 버려집니다.',
    sent: (sent: number, bytes: number) => `${mib(bytes)} 중 ${mib(sent)} 보냄`,
    sending: '보내는 중',
    stop: '중지',
    write: (where: string) => `${where} 설정`,
    findings: {
      addressRight: ({ origin }: Of<'addressRight'>) => `서버도 자신의 주소를 ${origin}(으)로 알고 있습니다.`,
      publicUrlOther: ({ publicUrl, origin }: Of<'publicUrlOther'>) =>
        `${origin}(으)로 열었지만 서버에는 ${publicUrl} 주소가 설정되어 있습니다. 이 주소의 클라이언트는 로그인할 때 그쪽으로 보내집니다. ${publicUrl}을(를) 열거나 설정을 바꾸세요.`,
      untrusted: ({ peer, base, origin }: Of<'untrusted'>) =>
        `${origin}(으)로 열었지만 서버는 ${base}(으)로 알고 있습니다. ${peer}의 프록시가 주소를 알려 주지만 서버가 신뢰하지 않습니다. 직접 운영하는 프록시라면 지정하세요.`,
      clientsUntrusted: ({ peer }: Of<'clientsUntrusted'>) =>
        `${peer}의 프록시가 클라이언트 주소를 알려 주지만 서버가 신뢰하지 않습니다. 로그에 프록시 주소만 남고, 누군가 비밀번호를 계속 틀리면 모두가 잠깁니다. 직접 운영하는 프록시라면 지정하세요.`,
      clientsMissing: (_: Of<'clientsMissing'>) =>
        '프록시가 클라이언트 주소를 알려 주지 않습니다. 로그에 프록시 주소만 남고, 누군가 비밀번호를 계속 틀리면 모두가 잠깁니다. 다음을 추가하세요.',
      schemeMissing: ({ scheme, base }: Of<'schemeMissing'>) =>
        `${scheme}(으)로 열었지만 서버는 ${base}(으)로 알고 있습니다. 프록시가 스킴을 알려 주지 않아 클라이언트가 비밀번호와 함께 그쪽으로 보내집니다. 프록시 설정에 추가하세요. (Caddy와 Traefik은 자동입니다.)`,
      schemeWrong: ({ scheme, said }: Of<'schemeWrong'>) =>
        `${scheme}(으)로 열었지만 프록시는 ${said}(이)라고 알려 줍니다. 그 앞의 다른 프록시가 ${scheme}을(를) 씁니다. 다음과 같이 바꾸세요.`,
      hostRewritten: ({ host, arrived }: Of<'hostRewritten'>) =>
        `${host}(으)로 열었지만 프록시는 서버에 ${arrived}(으)로 요청합니다. 이 페이지의 로그인이 거부되고 클라이언트는 연결할 수 없는 주소로 보내집니다. 호스트를 그대로 전달하거나 서버에 주소를 지정하세요.`,
      portDropped: ({ host, arrived }: Of<'portDropped'>) =>
        `${host}(으)로 열었지만 프록시는 포트 없이 ${arrived}(이)라고 알려 줍니다. nginx의 $host에는 포트가 없습니다. 온 그대로 전달하거나 서버에 주소를 지정하세요.`,
      forwardedHostWrong: ({ host, said }: Of<'forwardedHostWrong'>) =>
        `${host}(으)로 열었지만 프록시는 X-Forwarded-Host로 ${said}(이)라고 알려 줍니다. 클라이언트가 요청한 호스트를 전달하세요.`,
      baseOther: ({ base, origin }: Of<'baseOther'>) =>
        `${origin}(으)로 열었지만 서버는 ${base}(으)로 알고 있습니다. 서버에 주소를 지정하세요.`,
      loginRight: (_: Of<'loginRight'>) => 'docker login에 Berth가 응답하고 이 주소로 안내합니다.',
      open: (_: Of<'open'>) => 'Berth가 로그인 없이 클라이언트에 응답합니다.',
      realmOther: ({ realm }: Of<'realmOther'>) =>
        `Berth가 응답하지만 로그인하러 ${realm}(으)로 보냅니다. 위의 주소 문제를 먼저 고치세요.`,
      ownPassword: (_: Of<'ownPassword'>) =>
        '앞에 있는 무언가가 자체 비밀번호를 요구합니다. 클라이언트는 비밀번호를 하나만 보낼 수 있으니 /v2/와 /auth/는 그대로 통과시키세요.',
      noChallenge: (_: Of<'noChallenge'>) =>
        '클라이언트가 로그인할 곳을 안내받지 못하고 거부됩니다. 프록시가 WWW-Authenticate 헤더를 전달하게 하세요.',
      redirected: (_: Of<'redirected'>) =>
        '앞에 있는 무언가가 /v2/를 다른 곳으로 보냅니다. /v2/와 /auth/를 Berth로 그대로 전달하세요.',
      notBerth: ({ status }: Of<'notBerth'>) =>
        `/v2/에 Berth가 아닌 것이 응답합니다(상태 ${status}). 프록시가 모든 경로를 Berth로 그대로 전달하게 하세요.`,
      headerGone: (_: Of<'headerGone'>) =>
        'Docker-Distribution-Api-Version 헤더가 중간에 사라집니다. 오래된 클라이언트에 필요합니다.',
      noAnswer: (_: Of<'noAnswer'>) =>
        '/v2/에 아무것도 응답하지 않습니다. 프록시가 Berth로 전달하는지, Berth가 실행 중인지 확인하세요.',
      bodyRight: ({ bytes }: Of<'bodyRight'>) => `${mib(bytes)} 본문이 통과했습니다.`,
      bodyLimit: ({ bytes, by }: Of<'bodyLimit'>) =>
        by === 'cloudflare'
          ? `Cloudflare가 ${mib(bytes)} 본문을 거부합니다. 대부분의 요금제에서 100 MB까지입니다. Cloudflare를 거치지 않는 주소로 푸시하세요.`
          : `${by === null ? '프록시' : PROXIES[by]}가 ${mib(bytes)} 본문을 거부합니다(413). 레이어 크기에는 상한이 없으니 제한을 없애세요.`,
      bodyCut: ({ bytes }: Of<'bodyCut'>) =>
        `${mib(bytes)} 본문이 중간에 끊겼습니다. 대개 프록시의 제한 때문이니 없애세요. (Cloudflare는 대부분 100 MB까지입니다.)`,
      bodySlow: ({ bytes }: Of<'bodySlow'>) =>
        `${mib(bytes)} 본문이 15분을 넘겼습니다. 회선이 그보다 빠르다면 프록시가 붙잡고 있는 것입니다.`,
      bodyRefused: ({ bytes, status }: Of<'bodyRefused'>) =>
        `${mib(bytes)} 본문에 상태 ${status}(으)로 응답했습니다. 위의 문제를 고치고 다시 로그인한 뒤 다시 점검하세요.`,
    },
  },
);
