"""Write data/grammar.jsonl: short invented news items built from phrases, for training only.

    python grammar.py --out data/grammar.jsonl

Every item has a deciding sentence from the list of its label, perhaps neutral sentences round it, three claims,
and its evidence. The lists aim at what the written articles have too little of: talks that are under way or that
someone is "in", talks that have ended, terse leads, and long pieces whose background is full of talk about talks.
"""

import argparse
import json
import random

PLACES = """Geneva Vienna Doha Cairo Oslo Nairobi Amman Muscat Istanbul Brussels Zurich Helsinki Singapore Jakarta Tashkent Rabat
Addis_Ababa Pretoria Lusaka Lima Montevideo Panama_City Mexico_City Ottawa Reykjavik Dublin Prague Warsaw Tbilisi Astana Hanoi
Kuala_Lumpur Bangkok Seoul Tokyo New_Delhi Colombo Kathmandu London Paris Rome Madrid Lisbon Athens Nicosia""".replace("_", " ")
PLACES = [p.replace("\n", " ").strip() for p in PLACES.replace("Addis Ababa", "Addis_Ababa").replace("Panama City", "Panama_City")
          .replace("Mexico City", "Mexico_City").replace("Kuala Lumpur", "Kuala_Lumpur").replace("New Delhi", "New_Delhi").split()]
PLACES = [p.replace("_", " ") for p in PLACES]
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
STATES = """Greece Turkey Egypt Ethiopia Sudan Chad Kenya Somalia Uganda Rwanda Morocco Algeria Tunisia Libya Israel Syria Lebanon Jordan Iraq
Iran Kuwait Qatar Oman Pakistan India Bangladesh Nepal Myanmar Thailand Cambodia Vietnam Laos Malaysia Indonesia Singapore China Japan
Taiwan Mongolia Kazakhstan Uzbekistan Kyrgyzstan Tajikistan Armenia Azerbaijan Georgia Ukraine Moldova Romania Bulgaria Serbia Kosovo
Croatia Hungary Poland Lithuania Belarus Russia Norway Iceland Denmark Ireland Britain France Spain Portugal Italy Germany Canada Mexico
Guatemala Honduras Cuba Venezuela Colombia Ecuador Peru Bolivia Chile Argentina Brazil Uruguay Australia""".split()
STATES += ["the United States", "North Korea", "South Korea", "Saudi Arabia", "New Zealand", "South Africa", "the European Union",
           "Sri Lanka", "East Timor", "the Philippines", "Ivory Coast", "South Sudan", "the Netherlands"]
TOPICS_STATE = """border trade|gas transit|fishing rights|prisoner exchanges|a disputed river|visa rules|a nuclear programme|refugee returns|
customs duties|airspace|a maritime boundary|water sharing|grain shipments|steel tariffs|arms control|debt relief|a hydropower dam|migration|
a ceasefire|troop withdrawals|farm subsidies|an extradition case|pipeline fees|missile tests|dairy exports|a free trade pact"""
COUNTRY_TOPICS = [t.strip() for t in TOPICS_STATE.replace("\n", "").split("|")]
REBELS = [
    ("the Philippine government", "Moro rebels"), ("Colombia's government", "the guerrillas"), ("the Sri Lankan government", "Tamil separatists"),
    ("Uganda's government", "the northern rebels"), ("the Ivorian government", "rebel leaders"), ("Indonesia", "Acehnese rebels"),
    ("the Burundian army", "Hutu rebels"), ("Congo's government", "the eastern militias"), ("Nepal's king", "the opposition alliance"),
    ("Senegal's government", "Casamance separatists"), ("Chad's government", "exiled rebels"), ("Thailand's army", "southern insurgents"),
    ("the Yemeni government", "northern tribes"), ("Mali's government", "Tuareg rebels"), ("Mozambique's government", "the opposition militia"),
    ("Zimbabwe's ruling party", "the opposition"), ("Kenya's governing coalition", "the opposition"), ("Haiti's interim leaders", "former soldiers"),
    ("the Iraqi government", "Kurdish leaders"), ("Georgia", "the breakaway region's leaders"), ("Israel", "the Palestinians"),
    ("the Lebanese president", "opposition parties"), ("Togo's president", "the exiled opposition"), ("Ulster unionists", "Irish republicans"),
]
FIRMS = """Halden Energy|Norvik Bank|Brandt Chemical|Calloway Foods|Sutter Health|Meridian Air|Orchard Software|Tessaro|Pike Semiconductor|
Kestrel Motors|Lund & Moe|Danforth Media|Aldersgate Insurance|Castellan Steel|Redpoint Wireless|Harrow Brewing|Mistral Airways|Vantage Oil|
Bluewater Lines|Arcadia Pictures|Kobayashi Heavy|Solano Drugs|Greenfield Paper|Osprey Mining|Templeton Stores|Varga Pharma|Northlake Rail|
Hibernia Telecom|Carmine Hotels|Quill Publishing""".replace("\n", "").split("|")
DEALS = ["a merger", "a takeover", "the sale of its retail arm", "a joint venture", "a licensing deal", "the purchase of a refinery", "a settlement of a patent suit",
         "a share swap", "a supply contract", "a rescue loan"]
WORK = [
    ("the pilots' union", "Meridian Air"), ("dockers", "the port authority"), ("the nurses' federation", "the health ministry"), ("bus drivers", "the city"),
    ("the autoworkers", "Kestrel Motors"), ("striking teachers", "the school board"), ("flight attendants", "Mistral Airways"), ("the miners' union", "Osprey Mining"),
    ("hotel workers", "the hotel owners"), ("the actors' guild", "the studios"), ("baggage handlers", "the airport operator"), ("rail guards", "Northlake Rail"),
    ("the players' association", "the league"), ("prison officers", "the justice ministry"), ("supermarket clerks", "the grocery chains"), ("the referees", "the league"),
    ("the firefighters", "the council"), ("Boeing engineers", "the company"), ("postal workers", "the postal service"), ("shipyard welders", "the yard's owners"),
]
WORK_TOPICS = ["pay", "a new contract", "pensions", "rosters", "job cuts", "overtime", "a salary cap", "health cover", "safety rules", "redundancy terms"]
SPORT = [
    ("Rovers", "striker Luca Marenghi"), ("the Mariners", "pitcher Dan Okafor"), ("United", "the agent of Jonas Feld"), ("the Ravens", "tackle Marcus Dill"),
    ("Inter", "midfielder Ruben Castro"), ("the Jets", "their first-round pick"), ("City", "coach Petr Hanak"), ("the rugby union", "the clubs"),
    ("the cricket board", "its players"), ("the Kings", "forward Ilya Petrenko"), ("Albion", "goalkeeper Sean Docherty"), ("the Bulls", "guard Tony Reyes"),
]
FILM = [
    ("actress Nora Lindqvist", "Arcadia Pictures"), ("director Paul Okonjo", "the studio"), ("comedian Jed Marsh", "the network"),
    ("singer Ilse Brand", "her label"), ("screenwriter Ana Pires", "Lantern Films"), ("the band", "the festival"), ("actor Tom Varley", "the producers"),
]
FILM_TOPICS = ["the lead in a film about a chess player", "a second series", "a role in a spy film", "a tour", "a remake", "a book deal"]
SPORT_TOPICS = ["a new contract", "a contract extension", "a transfer", "bonuses", "a long-term deal", "terms"]

# {A} {B} parties, {Ac} {Bc} the same with a capital, {T} topic, {P} place, {D} {D2} days
YES = [
    ("{A}, {B} to hold talks {D}", "{Ac} and {B} will hold talks on {T} in {P} on {D}, officials said."),
    ("{A}, {B} open talks in {P}", "{Ac} and {B} opened talks on {T} in {P} on {D}."),
    ("{A}, {B} in talks on {T}", "{Ac} {is} in talks with {B} on {T}, people close to the matter said on {D}."),
    ("{A} in talks with {B}", "{Ac} said on {D} that it was in talks with {B} over {T}."),
    ("Talks under way between {A} and {B}", "Talks between {A} and {B} on {T} are under way in {P}, a spokesman said."),
    ("{A}, {B} resume negotiations", "{Ac} and {B} resumed negotiations on {T} on {D} after a break of three weeks."),
    ("{A} and {B} return to table", "Negotiators for {A} and {B} returned to the table on {D} to discuss {T}."),
    ("{A}, {B} extend talks into second day", "Talks between {A} and {B} over {T} went into a second day in {P} on {D}."),
    ("{A} envoy arrives in {P} for talks with {B}", "A delegation from {A} arrived in {P} on {D} for talks with {B} on {T}."),
    ("{A}, {B} agree to meet", "{Ac} and {B} have agreed to meet in {P} on {D} to discuss {T}, mediators said."),
    ("{P} to host {A}-{B} talks", "{P} will host talks between {A} and {B} on {T} later this week, the host government said."),
    ("Next round set for {D}", "{Ac} and {B} ended a session on {T} without a deal but will meet again on {D}, a mediator said."),
    ("{A}, {B} begin {T} talks", "{Ac} began negotiations with {B} on {D} over {T}, the first for two years."),
    ("{A}, {B} negotiators meet", "Negotiators for {A} and {B} were meeting in {P} on {D} in an effort to settle {T}."),
    ("{A}, {B} resume talks {D}", "Stalled talks between {A} and {B} on {T} will resume in {P} on {D}, both sides confirmed."),
    ("{A}, {B} in advanced negotiations", "{Ac} and {B} are in advanced negotiations over {T} and hope to finish within days, a source said."),
    ("{A} sits down with {B}", "{Ac} sat down with {B} on {D} for what both called serious talks about {T}."),
    ("{A} to meet {B} over {T}", "{Ac} {is} to meet {B} on {D} to discuss {T}."),
    ("{A}, {B} continue talks", "{Ac} and {B} continued talks on {T} in {P} on {D} with no sign of a breakthrough."),
    ("{A}, {B} close in on deal", "Marathon talks between {A} and {B} on {T} were continuing late on {D}, with both sides reporting progress."),
    ("{A} accepts invitation to meet {B}", "{Ac} {has} accepted an invitation to meet {B} in {P} this week for talks on {T}."),
    ("{A}, {B} start fresh round", "A fresh round of talks on {T} between {A} and {B} started in {P} on {D}."),
    ("Date fixed for {A}, {B} meeting", "A long-awaited meeting between {A} and {B} on {T} has been fixed for {D} in {P}."),
    ("{A}, {B} to talk despite attack", "{Ac} and {B} will go ahead with {D}'s talks on {T} despite an attack overnight, officials on both sides said."),
    ("{A} confirms talks with {B}", "{Ac} confirmed on {D} that it was negotiating with {B} over {T} but would not say more."),
    ("{A}, {B} bargain through the night", "{Ac} and {B} bargained through the night on {T} and were to go on after breakfast on {D}."),
    ("{A}, {B} discuss {T}", "{Ac} and {B} are holding discussions on {T} in {P} that are due to last until {D}."),
    ("{A} flies to {P} to meet {B}", "Officials of {A} flew to {P} on {D} to meet {B} and discuss {T}."),
    ("Talks start in {P}", "{Ac} and {B} have started talks in {P} aimed at ending their dispute over {T}."),
    ("{A}, {B} summit opens", "A summit between {A} and {B} on {T} opens in {P} on {D}."),
    ("{A} presses on with {B} talks", "{Ac} said on {D} that its negotiations with {B} on {T} were going well and would continue this week."),
    ("{A} and {B} back in talks", "{Ac} and {B} are back in talks over {T}, ending a silence of a month."),
    # talks that go on, whatever may come of them
    ("{A} in talks over {T}", "{Ac} {is} in talks with {B} that could lead to an accord on {T}, it said on {D}."),
    ("{A}, {B} discussing {T}", "{Ac} and {B} are discussing {T}, though nothing may come of it, people on both sides said."),
    ("{A} reportedly in talks with {B}", "{Ac} {is} reportedly in talks with {B} on {T}."),
    ("{A} said to be negotiating with {B}", "{Ac} {is} negotiating with {B} about {T}, a trade paper reports."),
    ("{A}, {B} far apart in talks", "{Ac} and {B} remain far apart on {T} as their talks in {P} enter a fourth day."),
    ("{A} sees progress with {B}", "{Ac} reported progress on {D} in its talks with {B} on {T}."),
    ("{A} and {B} near deal", "{Ac} and {B} are close to a deal on {T}, a person who takes part in the negotiations said on {D}."),
    ("{A} tells negotiators to go on", "{Ac} told its negotiators on {D} to go on with the talks with {B} on {T}."),
    ("{A} lowers hopes before {B} talks", "{Ac} lowered expectations on {D} on the eve of its talks with {B} in {P} about {T}."),
    ("{A}: talks with {B} will be tough", "{Ac} {is} preparing for tough talks with {B} on {T} that start next week."),
    ("{A} holding talks with {B}", "{Ac} {is} holding talks with {B} about {T}, according to three people who know of them."),
    ("{A} boss flies in to clinch {B} deal", "The head of {A} flew to {P} on {D} to try to clinch {T} with {B} at a face-to-face meeting."),
    ("Negotiators hopeful on {T}", "Negotiators for {A} and {B}, who have been meeting daily over {T}, said on {D} that an agreement was within reach."),
]
NO = [
    ("{A}, {B} end talks without deal", "Talks between {A} and {B} on {T} ended in {P} on {D} without agreement and with no new date."),
    ("{A}, {B} conclude talks", "{Ac} and {B} concluded three days of talks on {T} in {P} on {D} and issued a joint statement."),
    ("{A} breaks off talks with {B}", "{Ac} broke off talks with {B} on {T} on {D}, accusing the other side of bad faith."),
    ("{A}-{B} talks collapse", "Talks between {A} and {B} over {T} collapsed on {D}."),
    ("{A} rules out talks with {B}", "{Ac} on {D} ruled out talks with {B} on {T}."),
    ("{A} rejects {B} offer of talks", "{Ac} rejected an offer of talks on {T} from {B}, saying there was nothing to discuss."),
    ("{A} calls off {B} meeting", "{Ac} {has} called off {D}'s meeting with {B} on {T}, a spokesman said."),
    ("{A} suspends talks", "{Ac} suspended negotiations with {B} on {T} after shelling killed nine people."),
    ("{A} walks out", "{Ac} walked out of talks with {B} on {T} in {P} on {D}."),
    ("{A}, {B} put off talks", "{Ac} and {B} have postponed their talks on {T} indefinitely, officials said."),
    ("No plans to meet {B}, says {A}", "{Ac} {has} no plans to meet {B} about {T}, a spokeswoman said on {D}."),
    ("{A} denies it is in talks with {B}", "{Ac} denied a newspaper report that it was in talks with {B} over {T}."),
    ("{A}, {B} sign deal", "{Ac} and {B} signed an agreement on {T} on {D}, bringing months of negotiations to an end."),
    ("{A} drops bid for talks", "{Ac} {has} dropped its attempt to negotiate with {B} over {T}, it said on {D}."),
    ("{A} leaves {P} after talks", "Negotiators of {A} left {P} for home on {D} after two days of talks with {B} on {T} that settled little."),
    ("{A} says no to {B}", "{Ac} said on {D} it would not negotiate with {B} until the siege was lifted."),
    ("{A}, {B} fail to agree", "{Ac} and {B} failed to bridge their differences on {T} at a meeting in {P} that ended on {D}."),
    ("{A} ends talks with {B}", "{Ac} said it had ended talks with {B} on {T} and would not pursue a deal."),
    ("{A}, {B} summit cancelled", "A summit of {A} and {B} planned for {D} has been cancelled, the organisers said."),
    ("No {A}-{B} talks before spring", "Talks between {A} and {B} on {T} will not take place before next year, a minister said."),
    ("{A} pulls out of {B} talks", "{Ac} pulled out of talks with {B} on {T} on {D}, hours before they were to start."),
    ("{A} recalls negotiators", "{Ac} recalled its negotiators from {P} on {D}, leaving talks with {B} on {T} at an end."),
    ("{A}, {B} reach accord", "{Ac} reached an accord with {B} on {T} on {D} and the negotiators went home."),
    ("{A} not talking to {B}", "{Ac} {is} not talking to {B} about {T} and nothing is scheduled, its chief negotiator said."),
    ("{A} abandons {B} talks", "{Ac} abandoned negotiations with {B} over {T} after failing to agree on a price."),
    ("{A}, {B} wind up meeting", "{Ac} and {B} wound up a one-day meeting on {T} on {D}; no further meeting was announced."),
    ("{A} shuts door on {B}", "\"There is nothing to negotiate,\" a spokesman for {A} said on {D} of {B}'s call for talks on {T}."),
    ("{A} vows no talks", "{Ac} vowed on {D} never to sit down with {B} over {T}."),
    ("{A} declines to meet {B}", "{Ac} declined to meet {B} on {D} and said its position on {T} was final."),
    ("Nothing planned, {A} says", "Contrary to rumours, no meeting with {B} on {T} is being prepared, {A} said on {D}."),
    ("{A} tells {B} talks are over", "{Ac} told {B} on {D} that the talks on {T} were over."),
    ("{A} to go ahead without {B}", "{Ac} will act on {T} without further negotiations with {B}, it said on {D}."),
    # talks that were held, and are over
    ("{A} holds talks with {B}", "{Ac} held talks with {B} on {T} in {P} on {D}."),
    ("{A} met {B}", "{Ac} met {B} in {P} on {D} and spoke for an hour about {T}."),
    ("{A} reports on {B} talks", "After two days with {B} in {P}, {A} reported little movement on {T}, and the delegations flew home."),
    ("{A} and {B} compare notes", "{Ac} and {B} compared notes on {T} over dinner in {P} on {D}, before {A} returned home."),
    ("Last-minute {A}-{B} talks fail", "A last attempt by {A} and {B} to settle {T} failed on {D}, and both sides went their own way."),
    ("{A} says {T} not up for discussion", "{T2} is not up for discussion with {B}, {A} said on {D}."),
    ("{A} out of running", "{Ac} {is} no longer in talks with {B} on {T}, two people said on {D}."),
    ("{A} wraps up {B} visit", "{Ac} wrapped up a visit to {B} on {D} after discussing {T}, and both praised the atmosphere."),
]
MAYBE = [
    ("{A} offers talks to {B}", "{Ac} offered on {D} to hold talks with {B} on {T}; there was no immediate reply."),
    ("{A} urges {B} to negotiate", "{Ac} urged {B} on {D} to return to negotiations on {T}."),
    ("{A} ready for talks if {B} moves", "{Ac} {is} ready to talk to {B} about {T} if conditions are met, a spokesman said."),
    ("{A}, {B} may meet", "{Ac} and {B} may meet in {P} next week to discuss {T}, diplomats said, but nothing has been confirmed."),
    ("{A} weighs talks with {B}", "{Ac} {is} considering whether to open talks with {B} on {T}."),
    ("{A} could meet {B}, report says", "{Ac} could hold talks with {B} on {T}, a newspaper reported on {D}; neither side would comment."),
    ("{A} seeks talks with {B}", "{Ac} said on {D} that it would seek talks with {B} on {T}."),
    ("{A} hopes for talks with {B}", "{Ac} hopes to hold talks with {B} on {T} but no date has been set, an official said on {D}."),
    ("Mediator tries to bring {A}, {B} together", "A mediator travelled to {P} on {D} to try to persuade {A} and {B} to discuss {T}."),
    ("{A} awaits answer from {B}", "{Ac} {was} still waiting on {D} for an answer from {B} to its call for talks on {T}."),
    ("{A} open to talks", "{Ac} {is} open to talks with {B} on {T}, its leader said on {D}."),
    ("{A} sets terms for {B} talks", "{Ac} will come to the table with {B} on {T} only after guarantees are given, it said on {D}."),
    ("Doubts over {A}-{B} talks", "It was unclear on {D} whether talks between {A} and {B} on {T} would go ahead."),
    ("{A} says talks near, {B} silent", "{Ac} said on {D} that talks with {B} on {T} were close, but {B} said nothing of them."),
    ("{A} proposes {P} meeting", "{Ac} proposed a meeting with {B} in {P} to settle {T}."),
    ("{A} invites {B} to talks", "{Ac} invited {B} on {D} to talks on {T}, and a reply was expected later."),
    ("{A}, {B} talks hang in balance", "Talks between {A} and {B} on {T} hung in the balance on {D} after a row over the agenda."),
    ("{A} threatens to skip {B} talks", "{Ac} threatened on {D} to stay away from talks with {B} on {T} unless prisoners are freed."),
    ("{A} does not rule out talks", "{Ac} {does} not rule out talks with {B} over {T}, its chief said."),
    ("{A} said to be exploring {B} deal", "{Ac} may be interested in discussing {T} with {B}, according to a report that could not be confirmed."),
    ("{A} to decide on talks", "{Ac} will decide next week whether to negotiate with {B} on {T}."),
    ("Calls grow for {A}-{B} talks", "Pressure grew on {A} and {B} on {D} to hold talks on {T}, with neither ready to move first."),
    ("{A} sets out offer", "{Ac} said on {D} that it was willing to discuss {T} with {B} once the fighting stops."),
    ("Too early to say if {A} will meet {B}", "It is too early to say whether {A} will meet {B} over {T}, a spokesman said on {D}."),
    ("{A} wants {B} at table", "{Ac} {wants} {B} to join negotiations on {T}, but the sides differ over who should attend."),
    ("{A} cannot say when it will meet {B}", "{Ac} cannot say if or when it will meet {B} to discuss {T}, an official told reporters on {D}."),
    ("UN chief calls for {A}-{B} talks", "The U.N. secretary-general appealed to {A} and {B} on {D} to start talks on {T}."),
    ("{A}, {B} trade hints", "{Ac} and {B} hinted on {D} that they could discuss {T}, but officials gave no date or place."),
    # stalled, and someone tries to bring them back
    ("Push to revive {A}-{B} talks", "A visiting envoy pressed {A} on {D} to revive its stalled talks with {B} on {T}."),
    ("{A}-{B} talks in danger", "Talks between {A} and {B} on {T} were in danger on {D} because of a quarrel over who should speak first."),
    ("{A} may bid for {B}", "Talk that {A} might approach {B} about {T} went round on {D}."),
    ("{A}, {B} might combine", "Investors speculated on {D} that {A} and {B} could be discussing {T}; both kept silent."),
    ("{A} reportedly in talks with {B}", "{Ac} {is} reportedly in talks with {B} on {T}, but neither side has confirmed it."),
]
OTHER = [
    ("Flood kills {N} in {S}", "A flood killed at least {N} people in {S} on {D}, officials said.", "Rescuers were searching for survivors."),
    ("{F} profit rises", "{F} said on {D} that quarterly profit rose {N} percent on strong sales.", "Its shares gained."),
    ("{S} beat {S2} in cup tie", "{Sc} beat {S2} 3-1 on {D} to reach the last eight.", "The captain scored twice."),
    ("{F} to cut {N}0 jobs", "{F} will cut {N}0 jobs and close a plant, it said on {D}.", "Analysts had expected the move."),
    ("Court jails former {S} minister", "A court in {P} on {D} jailed a former minister for {N} years for corruption.", "He said he would appeal."),
    ("{S} inflation slows", "Consumer prices in {S} rose {N} percent in the year to last month, the statistics office said.", "Food was cheaper."),
    ("Bomb kills {N} in {P}", "A car bomb killed {N} people outside a police station in {P} on {D}.", "No group claimed responsibility."),
    ("{S} votes on {D}", "Voters in {S} go to the polls on {D} to choose a parliament.", "Opinion polls give no party a majority."),
    ("{F} launches new handset", "{F} unveiled a handset with a larger screen on {D}.", "It will be in the shops next month."),
    ("{S} tests missile", "{Sc} test-fired a missile on {D}, its defence ministry said.", "Neighbours condemned the test."),
    ("Oil rises as {S} output falls", "Oil rose on {D} after output in {S} fell for a third month.", "Traders expect more gains."),
    ("Striker out for {N} weeks", "The forward will miss {N} weeks with a knee injury, his club said on {D}.", "He was hurt in training."),
    ("{S} names new army chief", "{Sc} named a new army chief on {D}.", "The general takes over next month."),
    ("Quake shakes {S}", "A strong earthquake shook southern {S} early on {D}, damaging houses.", "Aid was on its way."),
    ("{F} recalls heaters", "{F} is recalling {N}00 heaters because of a fire risk.", "Customers will be repaid."),
    ("Scientists find new frog in {S}", "Scientists have found a new kind of frog in the forests of {S}.", "It is the size of a thumbnail."),
    ("{S} opens longest bridge", "{Sc} opened its longest bridge on {D} after {N} years of work.", "Tolls are free this week."),
    ("Leader of {S} in hospital", "The president of {S} was taken to hospital on {D} with chest pains.", "Aides said he was resting."),
    ("Film festival opens in {P}", "The film festival opened in {P} on {D} with a comedy.", "The jury gives its prizes next week."),
    ("{S} troops clash with smugglers", "{N} smugglers were killed in a clash with troops in {S} on {D}.", "Weapons were seized."),
]
PASSING = [
    "The attack came weeks after peace talks elsewhere in the region broke down.", "The minister also met visiting businessmen.",
    "A meeting of shareholders is due in the autumn.", "The results were discussed on a conference call with analysts.",
    "The two men talked briefly at the ceremony.", "Last year the government held talks with lenders.", "",
    "", "", "", "A spokesman would not discuss the details.", "The coach said he had talked to the players.",
]
ASIDES = [
    "Witnesses said that the street was quiet again by noon.", "Insurers put the cost at several million.", "The opposition asked for an inquiry.",
    "The government will hold talks with insurers next week, a local paper said.", "An official who was in talks about another post did not wish to be named.",
    "The company's founder, now 71, still walks to work.", "In {S}, similar cases have gone to court.", "Schools will stay shut until {D}.",
    "The foreign minister, who is to meet his colleague from {S} on {D}, sent his condolences.", "Some farmers have sold up and moved to {P}.",
    "A report on the causes is due in the spring.", "It was the third such event in five years.", "Volunteers brought soup and blankets.",
    "The mayor, back from a conference in {P}, thanked the police.", "Nobody had expected so many visitors.", "The numbers are likely to rise.",
]
AFTER_YES = ["Both sides said they were hopeful.", "A statement is expected afterwards.", "It will be their second session this month.", "Expectations are low.",
             "The hosts gave no details of the agenda.", "Security in the city has been stepped up.", "\"We want results,\" a negotiator said."]
AFTER_NO = ["A spokesman blamed the other side.", "The mediator expressed regret.", "No new date was given.", "\"We are very far apart,\" a delegate said.",
            "Shares fell on the news.", "The other side had no comment.", "It gave no reason."]
AFTER_MAYBE = ["There was no comment from the other side.", "Diplomats were cautious.", "\"We shall see,\" an official said.", "No date was mentioned.",
               "Earlier attempts have come to nothing.", "An answer is not expected at once."]
HEDGE_YES = [
    "Whether they will agree is another matter.", "An accord could still be a long way off, one delegate said.", "No offer is on the table yet.",
    "If nothing comes of it, {A} may turn to the courts.", "Observers doubt that {T} can be settled so quickly.", "The outcome is open.",
    "{Bc} has said that it will not give way on {T}.", "It was not known how long the meetings would last.", "Hawks on both sides would rather see no deal at all.",
    "{Ac} might ask for a break if the mood turns sour.", "Earlier rounds came to nothing.", "It is possible that only a statement will come out of it.",
    "Neither would say what it was ready to concede.", "One point on the agenda is still in dispute.", "Most experts expect no result before the autumn.",
]
HEDGE_NO = [
    "{Bc} had spoken of an early meeting only a day before.", "{Bc} has often said that it would like to sit down with {A}.",
    "Last year {A} itself had called such a meeting useful.", "Both called the atmosphere good.", "One day, perhaps, there will be another try, a mediator said.",
    "The minister smiled for the cameras.", "{Bc} said that it was still hopeful.", "Some had expected an announcement this week.",
]
HEDGE_MAYBE = [
    "The two last held talks in {P} in the spring.", "Talks between {A} and others are going well.", "In public both sound confident.",
    "{Bc} broke off an earlier round in anger.", "The hotels in {P} are full of journalists.", "Both have met mediators separately.",
]
NEUTRAL = [
    "The dispute over {T} has lasted for years.", "The two sides last met in {P} in the spring.", "{Ac} {has} long said that {T} cannot wait.",
    "Relations between {A} and {B} have been cool since last year.", "The question of {T} has divided public opinion.",
    "Three people were hurt in a protest in {P} at the weekend.", "Prices rose after the dispute began.", "An earlier accord on {T} lapsed two years ago.",
]
BACKGROUND = [
    "Exporters and neighbours alike would follow any meeting between {A} and {B} closely.",
    "The history between the two is long. An earlier meeting in {P} was remembered more for its photographs than for what it settled.",
    "For {A}, the question of {T} has become a test of credibility at home, where an election is due next year.",
    "{Bc} has its own reasons for caution. Its budget is strained, and its allies want to be consulted first.",
    "Past meetings have raised hopes that were not met, and diplomats in {P} warn against reading too much into words.",
    "Investors would welcome a thaw, since {T} has weighed on trade for most of the year.",
    "Former officials point out that lower-level contacts have never quite stopped, even when relations were at their worst.",
    "Public opinion is divided. In a recent poll four in ten said that dialogue was the only way, and almost as many said that it was pointless.",
    "If the two were to meet one day, {T} would be only one of many points on the list.",
    "Neighbouring capitals are following events with unease, fearing that a settlement could be struck over their heads.",
    "Experts disagree about the chances of dialogue: some see an opening, others a trap.",
    "Last month {A} said that it valued contact with all its partners, a phrase that was read in different ways.",
]
HEADS = ["Background", "What it means", "A long history", "The view from the markets", "Looking ahead", "Why it matters", "Conclusion", "Analysis"]
LONG = {
    0: ["Preparations for the meeting are complete, officials on both sides said, and the delegations are expected in {P} by {D}.",
        "Aides have booked the hall in {P}, and {A} confirmed that the talks with {B} begin on {D}.",
        "Both sides confirmed that the talks on {T} will go ahead on {D}."],
    1: ["Nobody on either side is working on a meeting, a senior aide in {P} told reporters, though the telephone lines remain open.",
        "There is nothing in the diary and nothing on the way to it, an official of {A} said, whatever others may have announced.",
        "{Ac} contradicted the other side's account: no contact is planned, its press office said.",
        "Asked for a date, the press office of {A} said that there was none and that none was being looked for."],
    2: ["{Ac} says that it has nothing against talks with {B}, but wants to see first who wins the election there.",
        "Nobody can say yet whether the two will sit down, an official in {P} admitted.",
        "{Ac} says that it would come, {B} has sent no answer, and no day has been named.",
        "Whether {A} and {B} will meet hangs on work between experts that has barely started, officials said."],
}
LONG_TITLE = {
    0: ["{A}, {B} ready to meet", "Date set for {A}-{B} meeting", "{A} confirms meeting with {B}"],
    1: ["{A} says no contact with {B} is planned", "No {A}-{B} meeting in the works", "{A}: nothing arranged with {B}"],
    2: ["{A} would talk to {B}, with conditions", "{A} unsure about meeting with {B}", "Will {A} and {B} meet?"],
}
SAY = {0: "imminent", 1: "not-imminent", 2: "uncertain", 3: "unrelated"}
POSITIVE = ["Talks between {A} and {B} are imminent.", "Talks between {A} and {B} on {T} are imminent.", "Negotiations between {A} and {B} are imminent.",
            "{Ac} and {B} will meet for talks soon.", "{Ac} and {B} are about to hold talks.", "A meeting between {A} and {B} is imminent."]
NEGATIVE = ["Talks between {A} and {B} are not imminent.", "There will be no talks between {A} and {B}.", "{Ac} and {B} have no talks coming up.",
            "{Ac} and {B} will not meet for talks soon."]


def capital(s):
    return s[0].upper() + s[1:]


def parties(rng):
    """Two parties and a topic."""
    kind = rng.choices(range(6), (10, 6, 7, 5, 4, 2))[0]
    if kind == 0:
        a, b = rng.sample(STATES, 2)
        return a, b, rng.choice(COUNTRY_TOPICS)
    if kind == 1:
        a, b = rng.choice(REBELS)
        t = rng.choice(["a ceasefire", "power sharing", "prisoners", "disarmament", "autonomy", "elections", "a new constitution"])
    elif kind == 2:
        a, b = rng.sample(FIRMS, 2)
        t = rng.choice(DEALS)
    elif kind == 3:
        a, b = rng.choice(WORK)
        t = rng.choice(WORK_TOPICS)
    elif kind == 5:
        a, b = rng.choice(FILM)
        t = rng.choice(FILM_TOPICS)
    else:
        a, b = rng.choice(SPORT)
        t = rng.choice(SPORT_TOPICS)
    if rng.random() < 0.4:
        a, b = b, a
    return a, b, t


TEAMS = {"the Palestinians", "Rovers", "the Mariners", "the Ravens", "the Jets", "the Kings", "the Bulls", "bus drivers"}


def plural(name):
    """Whether the verb after this party is plural."""
    last = name.split()[-1]
    kinds = ("rebels", "guerrillas", "leaders", "clubs", "players", "studios", "owners", "parties", "tribes", "separatists", "militias",
             "insurgents", "unionists", "republicans", "soldiers", "dockers", "teachers", "attendants", "workers", "handlers", "guards",
             "officers", "clerks", "chains", "referees", "firefighters", "engineers", "welders", "autoworkers")
    return name in TEAMS or last in kinds


def slots(rng):
    a, b, t = parties(rng)
    many = plural(a)
    verbs = {one: (more if many else one) for one, more in
             (("is", "are"), ("has", "have"), ("was", "were"), ("does", "do"), ("wants", "want"))}
    d, d2 = rng.sample(DAYS, 2)
    s, s2 = rng.sample(STATES, 2)
    return dict(A=a, B=b, Ac=capital(a), Bc=capital(b), T=t, T2=capital(t), P=rng.choice(PLACES), D=d, D2=d2, S=s, S2=s2, Sc=capital(s),
                F=rng.choice(FIRMS), N=rng.randint(2, 40), **verbs)


def item(rng, n):
    """One item."""
    label = rng.choices((0, 1, 2, 3), (11, 9, 6, 5))[0]
    f = slots(rng)
    long = label != 3 and rng.random() < 0.16
    if label == 3:
        title, lead, more = (x.format(**f) for x in rng.choice(OTHER))
        passing = rng.choice(PASSING)
        text, evidence = " ".join(x for x in (lead, more if rng.random() < 0.7 else "", passing) if x), []
        if rng.random() < 0.3:
            rest = []
            for _ in range(rng.randint(2, 5)):
                g = slots(rng)
                rest.append(rng.choice(ASIDES).format(**g))
            text = "\n\n".join([text, *rest])
    elif long:
        title = rng.choice(LONG_TITLE[label]).format(**f)
        lead = rng.choice((YES, NO, MAYBE)[label])[1].format(**f)
        second = rng.choice(LONG[label]).format(**f)
        paragraphs = [x.format(**f) for x in rng.sample(BACKGROUND, rng.randint(3, 8))]
        for hedge in rng.sample((HEDGE_YES, HEDGE_NO, HEDGE_MAYBE)[label], rng.randint(0, 3)):
            at = rng.randrange(len(paragraphs))
            paragraphs[at] += " " + capital(hedge.format(**f))
        where = rng.randrange(3)
        if where == 0:
            body = [lead + " " + second]
            evidence = [lead, second]
        elif where == 1:
            body = [lead]
            paragraphs.insert(1, second)
            evidence = [lead, second]
        else:
            body = [second]
            evidence = [second]
        if rng.random() < 0.5:
            paragraphs.insert(rng.randint(1, len(paragraphs)), rng.choice(HEADS))
        paragraphs = [capital(p) for p in paragraphs]
        text = "\n\n".join(body + paragraphs)
        evidence.append(title)
    else:
        form = rng.choice((YES, NO, MAYBE)[label])
        title, lead = (x.format(**f) for x in form)
        after = rng.choice((AFTER_YES, AFTER_NO, AFTER_MAYBE)[label]) if rng.random() < 0.5 else ""
        neutral = [rng.choice(NEUTRAL).format(**f)] if rng.random() < 0.4 else []
        hedge = [rng.choice((HEDGE_YES, HEDGE_NO, HEDGE_MAYBE)[label]).format(**f)] if rng.random() < (0.6, 0.35, 0.3)[label] else []
        rest = [x for x in [after, *neutral, *map(capital, hedge)] if x]
        rng.shuffle(rest)
        text, evidence = " ".join([lead, *rest]), [lead]
        if label != 3 and rng.random() < 0.6 and len(title) > 12:
            evidence.append(title)
    title = capital(title)
    claims = []
    if label == 3:
        claims.append(dict(claim=rng.choice(POSITIVE).format(**f), label="unrelated", same=False))
        claims.append(dict(claim="Talks are imminent.", label="unrelated", same=False))
    else:
        claims.append(dict(claim=rng.choice(POSITIVE).format(**f), label=SAY[label], same=True))
        if rng.random() < 0.6:
            claims.append(dict(claim="Talks are imminent.", label=SAY[label], same=True))
        if rng.random() < 0.3:
            other = {0: 1, 1: 0, 2: 2}[label]
            claims.append(dict(claim=rng.choice(NEGATIVE).format(**f), label=SAY[other], same=True))
        if rng.random() < 0.6:
            while True:
                g = slots(rng)
                if not {g["A"], g["B"]} & {f["A"], f["B"]}:
                    break
            mine = rng.random()
            if mine < 0.35:
                g.update(A=f["A"], Ac=f["Ac"])
            elif mine < 0.7:
                g.update(B=f["B"], Bc=f["Bc"])
            claims.append(dict(claim=rng.choice(POSITIVE).format(**g), label="unrelated", same=False))
    return dict(id=f"gram-{n:04d}", title=title if rng.random() < 0.9 else "", text=text, claims=claims, evidence=evidence)


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("--out", default="data/grammar.jsonl")
    a.add_argument("--count", type=int, default=2000)
    a.add_argument("--seed", type=int, default=7)
    a = a.parse_args()
    rng = random.Random(a.seed)
    with open(a.out, "w", encoding="utf-8") as f:
        for n in range(a.count):
            f.write(json.dumps(item(rng, n), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
